package io.debezium.connector.postgresql.connection;

import io.debezium.connector.postgresql.PostgresStreamingChangeEventSource.PgConnectionSupplier;
import io.debezium.connector.postgresql.PostgresType;
import io.debezium.connector.postgresql.TypeRegistry;

/**
 * Takes the place of Debezium's class of this name: values stay the text that the source printed, which is exact
 * for every type, where decoding loses some and fails on others.
 */
public class ReplicationMessageColumnValueResolver {

    @SuppressWarnings("rawtypes")
    public static Object resolveValue(String columnName, PostgresType type, String fullType,
            ReplicationMessage.ColumnValue value, PgConnectionSupplier connection, boolean includeUnknownDatatypes,
            TypeRegistry typeRegistry) {
        return value.isNull() ? null : value.getRawValue();
    }
}
