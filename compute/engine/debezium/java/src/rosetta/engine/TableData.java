package rosetta.engine;

/** One table's part of a batch, as Python takes it. */
public record TableData(
        String schema, String name, String[] columns, String[] types, String[] key, long rows, byte[] data,
        boolean folded, boolean deletes, boolean unchanged, boolean moved) {
}
