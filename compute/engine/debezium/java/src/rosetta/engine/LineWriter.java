package rosetta.engine;

import java.util.Arrays;

/** Writes the changes of one table as lines of `compute.core.batch`: META_COLUMNS, then the table's columns. */
final class LineWriter {
    private final CopyText text;
    private final Shape shape;
    private final String[] key;
    private final int[] keyPositions;
    private long rows;
    private boolean deletes;
    private boolean unchanged;
    private boolean moved;

    LineWriter(Shape shape, String[] key, int[] keyPositions, int capacity) {
        this.text = new CopyText(capacity);
        this.shape = shape;
        this.key = key;
        this.keyPositions = keyPositions;
    }

    int length() {
        return text.length();
    }

    /** A row that is there; `origin` null or equal to `ownKey` means that its key did not change. */
    void row(char operation, Stamp stamp, String[] values, String[] ownKey, String[] origin) {
        head(operation, stamp);
        mask(values);
        text.tab();
        if (origin == null || Arrays.equals(origin, ownKey)) {
            text.absent();
        } else {
            moved = true;
            text.text(array(origin));
        }
        for (String value : values) {
            text.tab();
            text.text(value == RawText.UNCHANGED ? null : value);
        }
        text.endLine();
    }

    /** A row that is gone, known by its key. */
    void deletedKey(Stamp stamp, String[] deleted) {
        String[] values = new String[shape.columns.length];
        for (int index = 0; index < deleted.length; index++) {
            values[keyPositions[index]] = deleted[index];
        }
        deletedRow(stamp, values);
    }

    /** A row that is gone, known by all its values. */
    void deletedRow(Stamp stamp, String[] values) {
        deletes = true;
        row('d', stamp, values, null, null);
    }

    TableData finish(boolean folded) {
        return new TableData(
                shape.schema, shape.name, shape.columns, shape.types, key, rows, text.toBytes(), folded, deletes,
                unchanged, moved);
    }

    private void head(char operation, Stamp stamp) {
        rows++;
        text.raw(operation);
        text.tab();
        text.number(stamp.lsn());
        text.tab();
        text.number(stamp.ordinal());
        text.tab();
        text.number(stamp.xid());
        text.tab();
        text.number(stamp.micros());
        text.tab();
    }

    private void mask(String[] values) {
        boolean complete = true;
        for (String value : values) {
            complete &= value != RawText.UNCHANGED;
        }
        if (complete) {
            text.absent();
            return;
        }
        unchanged = true;
        for (String value : values) {
            text.raw(value == RawText.UNCHANGED ? '1' : '0');
        }
    }

    /** A text[] literal of values that are never NULL. */
    private static String array(String[] values) {
        StringBuilder literal = new StringBuilder("{");
        for (String value : values) {
            literal.append(literal.length() > 1 ? ",\"" : "\"");
            literal.append(value.replace("\\", "\\\\").replace("\"", "\\\""));
            literal.append('"');
        }
        return literal.append('}').toString();
    }
}
