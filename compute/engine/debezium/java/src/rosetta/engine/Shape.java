package rosetta.engine;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;

/** A table as its events describe it: one per schema object that Debezium makes, so a changed table has a new one. */
final class Shape {
    final String schema;
    final String name;
    final String id;
    final String[] columns;
    /** Of each column what Debezium says of its type. */
    final String[] types;
    final Field before;
    final Field after;
    private final String[] ownKey;
    private final Field operation;
    private final Field[] fields;

    /** `key` is the schema of the events' keys, null without one. */
    Shape(Struct event, Schema key) {
        Schema envelope = event.schema();
        Struct source = event.getStruct("source");
        schema = source.getString("schema");
        name = source.getString("table");
        id = TableSpec.id(schema, name);
        ownKey = key == null ? new String[0] : key.fields().stream().map(Field::name).toArray(String[]::new);
        before = envelope.field("before");
        after = envelope.field("after");
        operation = envelope.field("op");
        List<Field> row = after.schema().fields();
        fields = row.toArray(new Field[0]);
        List<String> names = new ArrayList<>(row.size());
        row.forEach(field -> names.add(field.name()));
        columns = names.toArray(new String[0]);
        types = row.stream().map(field -> field.schema().parameters().get(RawText.TYPE)).toArray(String[]::new);
    }

    /** Whether rows of both can share a buffer. */
    boolean isLike(Shape other) {
        return Arrays.equals(columns, other.columns) && Arrays.equals(types, other.types);
    }

    /** `key`, or, where a row lacks a column of it, the events' own: a column of the key was renamed or dropped. */
    String[] keyAsItWas(String[] key) {
        return List.of(columns).containsAll(List.of(key)) ? key : ownKey;
    }

    char operation(Struct event) {
        return ((String) event.get(operation)).charAt(0);
    }

    /** The texts of a row in the order of `columns`, null where it has none; an unchanged TOAST value is `RawText.UNCHANGED`. */
    String[] row(Struct event, Field side) {
        Struct struct = (Struct) event.get(side);
        if (struct == null) {
            return null;
        }
        String[] values = new String[fields.length];
        for (int index = 0; index < values.length; index++) {
            values[index] = (String) struct.get(fields[index]);
        }
        return values;
    }

    /** Where the key's columns stand in a row. */
    int[] positions(String[] key) {
        int[] positions = new int[key.length];
        for (int index = 0; index < key.length; index++) {
            positions[index] = List.of(columns).indexOf(key[index]);
        }
        return positions;
    }
}
