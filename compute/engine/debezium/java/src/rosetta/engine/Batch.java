package rosetta.engine;

import java.util.List;

/** A piece of the stream on its way to Python; see `compute.core.batch.ChangeBatch`. */
public final class Batch {
    final Position start;
    final Position end;
    private final String[][] truncated;
    private final TableData[] tables;
    private final String[] watermarks;
    private final long commitMicros;
    /** Given when the batch's place in the stream is settled. */
    long sequence;

    Batch(Position start, Position end, List<String[]> truncated, List<TableData> tables, List<String> watermarks,
            long commitMicros) {
        this.start = start;
        this.end = end;
        this.truncated = truncated.toArray(new String[0][]);
        this.tables = tables.toArray(new TableData[0]);
        this.watermarks = watermarks.toArray(new String[0]);
        this.commitMicros = commitMicros;
    }

    long byteCount() {
        long bytes = 0;
        for (TableData table : tables) {
            bytes += table.data().length;
        }
        return bytes;
    }

    /** Sequence, start, end (three numbers each), and the newest commit's time or -1. */
    public long[] numbers() {
        return new long[] {
            sequence, start.commitLsn(), start.changeLsn(), start.ordinal(),
            end.commitLsn(), end.changeLsn(), end.ordinal(), commitMicros
        };
    }

    public String[][] truncated() {
        return truncated;
    }

    public TableData[] tables() {
        return tables;
    }

    public String[] watermarks() {
        return watermarks;
    }
}
