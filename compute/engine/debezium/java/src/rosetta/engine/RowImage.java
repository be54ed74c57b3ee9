package rosetta.engine;

/** What a batch does to one key, all its changes taken together. */
final class RowImage {
    final String[] key;
    /** The row as it is now; null: it is gone. */
    String[] values;
    /** Key of the target row, as it was before the batch, that unchanged values come from; null: there was none. */
    String[] origin;
    /** The row's first change in the batch was an insert and it was not deleted since. */
    boolean fresh;
    Stamp stamp;
    long size;

    RowImage(String[] key) {
        this.key = key;
        this.origin = key;
    }

    /** Takes from `known` what `row` left out. */
    static void carry(String[] row, String[] known) {
        for (int index = 0; index < row.length; index++) {
            if (row[index] == RawText.UNCHANGED) {
                row[index] = known[index];
            }
        }
    }
}
