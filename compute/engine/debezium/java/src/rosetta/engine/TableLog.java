package rosetta.engine;

/** Every change of a table without a key: a row is known by all its values, so an update is a delete and an insert. */
final class TableLog implements TableChanges {
    private static final String[] NO_KEY = {};

    private final Shape shape;
    private final LineWriter lines;

    TableLog(Shape shape) {
        this.shape = shape;
        this.lines = new LineWriter(shape, NO_KEY, new int[0], 0x1000);
    }

    @Override
    public Shape shape() {
        return shape;
    }

    @Override
    public void insert(String[] row, Stamp stamp) {
        lines.row('c', stamp, row, null, null);
    }

    @Override
    public void update(String[] before, String[] row, Stamp removed, Stamp stamp) {
        delete(before, removed);
        RowImage.carry(row, before);
        insert(row, stamp);
    }

    @Override
    public void delete(String[] before, Stamp stamp) {
        if (before == null) {
            throw new StreamException("table " + shape.schema + "." + shape.name
                    + " has no key and sends no old rows; give it a primary key or set REPLICA IDENTITY FULL");
        }
        lines.deletedRow(stamp, before);
    }

    @Override
    public long retainedBytes() {
        return lines.length();
    }

    @Override
    public TableData finish() {
        return lines.finish(false);
    }
}
