package rosetta.engine;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Gathers a batch's changes of one table with a key and knows at any time what each key has become.
 *
 * <p>Folding keeps the newest image of each key. Without folding every change is written, with the same
 * knowledge: a value is marked as unchanged only when the row of the target, as it was before the batch, has it.
 */
final class TableFold implements TableChanges {
    /** Estimated heap of a value beside its characters, and of a row beside its values. */
    static final int VALUE_OVERHEAD_BYTES = 56;
    static final int ROW_OVERHEAD_BYTES = 200;

    private final Shape shape;
    private final String[] keyNames;
    private final int[] keyPositions;
    private final Map<String, RowImage> images = new LinkedHashMap<>();
    private final LineWriter lines;
    private long retained;

    TableFold(Shape shape, String[] keyNames, boolean fold) {
        this.shape = shape;
        this.keyNames = keyNames;
        this.keyPositions = shape.positions(keyNames);
        this.lines = fold ? null : new LineWriter(shape, keyNames, keyPositions, 0x1000);
    }

    @Override
    public Shape shape() {
        return shape;
    }

    @Override
    public void insert(String[] row, Stamp stamp) {
        String[] key = key(row);
        RowImage image = images.get(join(key));
        if (image == null) {
            image = remember(key);
            image.fresh = true;
            image.origin = null;
        } else {
            image.fresh = false;
        }
        set(image, row, stamp);
        write(image, image.fresh ? 'c' : 'u');
    }

    @Override
    public void update(String[] before, String[] row, Stamp removed, Stamp stamp) {
        String[] key = key(row);
        String[] old = before == null ? null : key(before);
        if (old != null && complete(old) && !Arrays.equals(old, key)) {
            move(old, key, row, removed, stamp);
            return;
        }
        RowImage image = images.get(join(key));
        if (image == null) {
            image = remember(key);
        } else if (image.values != null) {
            RowImage.carry(row, image.values);
        }
        set(image, row, stamp);
        write(image, 'u');
    }

    @Override
    public void delete(String[] before, Stamp stamp) {
        String[] key = before == null ? null : key(before);
        if (key == null || !complete(key)) {
            throw new StreamException("a delete in table " + shape.schema + "." + shape.name
                    + " does not carry its key; set REPLICA IDENTITY to DEFAULT or FULL");
        }
        remove(key, stamp);
    }

    @Override
    public long retainedBytes() {
        return retained + (lines == null ? 0 : lines.length());
    }

    @Override
    public TableData finish() {
        if (lines != null) {
            return lines.finish(false);
        }
        LineWriter folded = new LineWriter(shape, keyNames, keyPositions, (int) Math.min(0x400_0000, retained / 2 + 256));
        for (RowImage image : images.values()) {
            if (image.values == null) {
                folded.deletedKey(image.stamp, image.key);
            } else {
                folded.row(image.fresh ? 'c' : 'u', image.stamp, image.values, image.key, image.origin);
            }
        }
        return folded.finish(true);
    }

    private void move(String[] from, String[] to, String[] row, Stamp removed, Stamp stamp) {
        RowImage source = images.get(join(from));
        String[] origin = from;
        if (source != null && source.values != null) {
            RowImage.carry(row, source.values);
            origin = source.origin;
        }
        remove(from, removed);
        RowImage image = images.get(join(to));
        if (image == null) {
            image = remember(to);
        }
        image.fresh = false;
        image.origin = origin;
        set(image, row, stamp);
        write(image, 'u');
    }

    private void remove(String[] key, Stamp stamp) {
        RowImage image = images.get(join(key));
        if (image == null) {
            image = remember(key);
        }
        image.fresh = false;
        image.origin = null;
        set(image, null, stamp);
        if (lines != null) {
            lines.deletedKey(stamp, key);
        }
    }

    private RowImage remember(String[] key) {
        RowImage image = new RowImage(key);
        images.put(join(key), image);
        retained += ROW_OVERHEAD_BYTES;
        return image;
    }

    private void set(RowImage image, String[] values, Stamp stamp) {
        long size = TableChanges.size(values);
        retained += size - image.size;
        image.size = size;
        image.values = values;
        image.stamp = stamp;
    }

    private void write(RowImage image, char operation) {
        if (lines != null) {
            lines.row(operation, image.stamp, image.values, image.key, image.origin);
        }
    }

    private String[] key(String[] row) {
        String[] key = new String[keyPositions.length];
        for (int index = 0; index < key.length; index++) {
            key[index] = row[keyPositions[index]];
            if (key[index] == RawText.UNCHANGED) {
                throw new StreamException("a change in table " + shape.schema + "." + shape.name
                        + " does not carry its key; set REPLICA IDENTITY FULL");
            }
        }
        return key;
    }

    private static boolean complete(String[] key) {
        for (String value : key) {
            if (value == null) {
                return false;
            }
        }
        return true;
    }

    /** One string per key; lengths keep ("a", "bc") apart from ("ab", "c"). */
    private static String join(String[] key) {
        if (key.length == 1) {
            return key[0];
        }
        StringBuilder joined = new StringBuilder();
        for (String value : key) {
            joined.append(value.length()).append(':').append(value);
        }
        return joined.toString();
    }
}
