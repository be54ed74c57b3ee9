package rosetta.engine;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The batch that is being gathered: everything between `start` and `end`. */
final class BatchBuilder {
    private final Position start;
    private final Map<String, TableSpec> specs;
    private final Map<String, TableChanges> tables = new LinkedHashMap<>();
    private final List<String[]> truncated = new ArrayList<>();
    private final List<String> watermarks = new ArrayList<>();
    private final long openedNanos = System.nanoTime();
    private Position end;
    private long commitMicros = -1;
    private long retainedBytes;

    BatchBuilder(Position start, Map<String, TableSpec> specs) {
        this.start = start;
        this.end = start;
        this.specs = specs;
    }

    /** Whether it was opened for these specs; a batch knows only one set of them. */
    boolean isFor(Map<String, TableSpec> current) {
        return specs == current;
    }

    long openedNanos() {
        return openedNanos;
    }

    Position end() {
        return end;
    }

    /** Moves the end on; a position that was reached already changes nothing. */
    void reach(Position position) {
        if (position.compareTo(end) > 0) {
            end = position;
        }
    }

    boolean hasMoved() {
        return end != start;
    }

    boolean hasRows() {
        return !tables.isEmpty();
    }

    TableSpec spec(Shape shape) {
        return specs.get(shape.id);
    }

    /** Whether the table's changes so far have another shape, so that they cannot share a buffer. */
    boolean differs(Shape shape) {
        TableChanges changes = tables.get(shape.id);
        return changes != null && !changes.shape().isLike(shape);
    }

    TableChanges changes(Shape shape, TableSpec spec, long micros) {
        commitMicros = Math.max(commitMicros, micros);
        TableChanges changes = tables.get(shape.id);
        if (changes == null) {
            changes = TableChanges.of(shape, spec);
            tables.put(shape.id, changes);
        }
        return changes;
    }

    void truncate(Shape shape, long micros) {
        commitMicros = Math.max(commitMicros, micros);
        truncated.add(new String[] {shape.schema, shape.name});
    }

    void watermark(String content) {
        watermarks.add(content);
    }

    void grew(long bytes) {
        retainedBytes += bytes;
    }

    /** Estimated heap that the batch holds. */
    long retainedBytes() {
        return retainedBytes;
    }

    Batch build() {
        List<TableData> data = new ArrayList<>(tables.size());
        tables.values().forEach(changes -> data.add(changes.finish()));
        return new Batch(start, end, truncated, data, watermarks, commitMicros);
    }
}
