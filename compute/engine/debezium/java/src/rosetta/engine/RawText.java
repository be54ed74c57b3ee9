package rosetta.engine;

import io.debezium.spi.converter.CustomConverter;
import io.debezium.spi.converter.RelationalColumn;
import java.util.Properties;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;

/** Leaves every value as the text that the source printed. Needs our `ReplicationMessageColumnValueResolver`. */
public final class RawText implements CustomConverter<SchemaBuilder, RelationalColumn> {
    /** Stands for a TOAST value that an update did not send; known by identity, so no real value can equal it. */
    static final String UNCHANGED = new String("unchanged");
    /** Parameter of a column's schema: what its type is, so that a changed one is known. */
    static final String TYPE = "rosetta.type";

    @Override
    public void configure(Properties properties) {
        // There is nothing to configure.
    }

    @Override
    public void converterFor(RelationalColumn column, ConverterRegistration<SchemaBuilder> registration) {
        SchemaBuilder text = new NullableText();
        text.parameter(TYPE, column.nativeType() + ":" + column.length().orElse(-1) + ":" + column.scale().orElse(-1));
        registration.register(text, RawText::text);
    }

    /** Debezium marks unchanged TOAST values by objects of its own, which are never strings. */
    private static Object text(Object value) {
        return value == null || value instanceof String ? value : UNCHANGED;
    }

    /**
     * Text that may be NULL and has no default: Debezium would demand values of the NOT NULL columns that a
     * delete does not send, and would give the default of a column for a NULL in it.
     */
    private static final class NullableText extends SchemaBuilder {
        NullableText() {
            super(Schema.Type.STRING);
            super.optional();
        }

        @Override
        public SchemaBuilder optional() {
            return this;
        }

        @Override
        public SchemaBuilder required() {
            return this;
        }

        @Override
        public SchemaBuilder defaultValue(Object value) {
            return this;
        }
    }
}
