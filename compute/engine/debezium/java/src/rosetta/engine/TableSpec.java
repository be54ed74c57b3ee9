package rosetta.engine;

import java.util.HashMap;
import java.util.Map;

/** What Python says of a table: see `compute.core.batch.TableSpec`. */
record TableSpec(String schema, String name, boolean fold, String[] key) {

    static String id(String schema, String name) {
        // NUL cannot be part of a name, so no two tables share an id.
        return schema + '\0' + name;
    }

    /** Each row is: schema, name, "fold" or "keep", then the key's columns. */
    static Map<String, TableSpec> parse(String[][] rows) {
        Map<String, TableSpec> specs = new HashMap<>();
        for (String[] row : rows) {
            String[] key = new String[row.length - 3];
            System.arraycopy(row, 3, key, 0, key.length);
            specs.put(id(row[0], row[1]), new TableSpec(row[0], row[1], row[2].equals("fold"), key));
        }
        return Map.copyOf(specs);
    }
}
