package rosetta.engine;

/** The changes of one table in one batch, in stream order. */
interface TableChanges {
    Shape shape();

    void insert(String[] row, Stamp stamp);

    /** `before` is null, or the old row (or its key); `removed` is the id of the delete that a key change begins with. */
    void update(String[] before, String[] row, Stamp removed, Stamp stamp);

    void delete(String[] before, Stamp stamp);

    /** Estimated heap held until the batch is taken. */
    long retainedBytes();

    TableData finish();

    static TableChanges of(Shape shape, TableSpec spec) {
        String[] key = shape.keyAsItWas(spec.key());
        return key.length == 0 ? new TableLog(shape) : new TableFold(shape, key, spec.fold());
    }

    static long size(String[] values) {
        if (values == null) {
            return 0;
        }
        long size = 0;
        for (String value : values) {
            if (value != null && value != RawText.UNCHANGED) {
                size += value.length() + TableFold.VALUE_OVERHEAD_BYTES;
            }
        }
        return size;
    }
}
