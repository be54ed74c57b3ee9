package rosetta.engine;

import io.debezium.engine.DebeziumEngine.ChangeConsumer;
import io.debezium.engine.DebeziumEngine.Offsets;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.RecordChangeEvent;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

/** Turns Debezium's records into batches and acknowledgements into flushed offsets, on the engine's thread only. */
final class RecordReader implements ChangeConsumer<RecordChangeEvent<SourceRecord>> {
    private static final String MOVED_FROM = "__debezium.newkey";
    /** As many records in one poll of 10 ms are a burst. */
    private static final int BUSY_RECORDS = 256;
    /** In a burst a batch gathers for so long, and waits so long for records that do not come. */
    private static final long GATHER_NANOS = 60_000_000;
    private static final long PAUSE_NANOS = 20_000_000;

    private final String heartbeatTopic;
    private final String messageTopic;
    private final Commits commits;
    private final Outbox outbox;
    private final Limits limits;
    private final Cursor cursor;
    /** Where batches must end, ascending; those that were passed are gone. */
    private final Queue<Position> cuts;
    private final Map<Schema, Shape> shapes = new IdentityHashMap<>();
    private volatile Map<String, TableSpec> specs;
    private volatile boolean streaming;
    private volatile long flushedLsn;
    private long markedLsn;
    private BatchBuilder batch;
    private Position reached;
    /** The last event of the batch; null when the batch ends between two transactions. */
    private Struct openEvent;
    /** First half of a key change, until its second half arrives. */
    private Move move;

    /** A batch is cut between transactions from `softBytes` on, anywhere from `hardBytes` on. */
    record Limits(long softBytes, long hardBytes) {
    }

    private record Move(String[] before, Stamp stamp) {
    }

    RecordReader(String server, Outbox outbox, Limits limits, Position start, List<Position> cuts, long referenceXid) {
        this.heartbeatTopic = "__debezium-heartbeat." + server;
        this.messageTopic = server + ".message";
        this.commits = Commits.of(server);
        this.outbox = outbox;
        this.limits = limits;
        this.cursor = new Cursor(start, referenceXid);
        this.cuts = new ArrayDeque<>(cuts);
        this.reached = start;
        this.flushedLsn = start.commitLsn();
        this.markedLsn = flushedLsn;
    }

    void setTables(Map<String, TableSpec> tables) {
        specs = tables;
    }

    boolean isStreaming() {
        return streaming;
    }

    boolean hasFlushed(long lsn) {
        return flushedLsn >= lsn;
    }

    @Override
    public void handleBatch(List<RecordChangeEvent<SourceRecord>> events,
            RecordCommitter<RecordChangeEvent<SourceRecord>> committer) throws InterruptedException {
        streaming = true;
        flushedLsn = markedLsn; // Debezium tells the slot when it polls for records, so it has done it by now
        Outbox.Chore flush = () -> flush(events.get(0), committer);
        flush.run();
        goOn(flush);
        for (RecordChangeEvent<SourceRecord> event : events) {
            if (outbox.isClosed()) {
                return;
            }
            read(event.record(), flush);
        }
        if (batch != null && (openEvent == null || closesTransaction(commits.endAfterOrWake(openEvent), flush))) {
            offer(events.size());
        }
        flush.run();
    }

    /** Goes on gathering the batch that was offered, unless Python has it or its tables changed. */
    private void goOn(Outbox.Chore flush) throws InterruptedException {
        if (batch == null) {
            batch = outbox.reclaim();
            if (batch != null && !batch.isFor(specs)) {
                publish(flush);
            }
        }
    }

    /**
     * Lets Python have the batch, which ends between transactions. While records come thick and fast it is kept
     * back for a moment, for many small batches cost the destination more than they gain.
     */
    private void offer(int records) {
        long now = System.nanoTime();
        boolean gathers = records >= BUSY_RECORDS && now - batch.openedNanos() < GATHER_NANOS;
        reached = batch.end();
        outbox.ripen(batch, gathers ? now + PAUSE_NANOS : now);
        batch = null;
    }

    private void read(SourceRecord record, Outbox.Chore flush) throws InterruptedException {
        Struct value = (Struct) record.value();
        Shape shape = value == null ? null : shapes.get(value.schema());
        if (shape != null) {
            readChange(record, value, shape, flush);
        } else if (record.topic().equals(heartbeatTopic) || record.topic().equals(Commits.TOPIC)) {
            readBoundary(record, flush);
        } else if (record.topic().equals(messageTopic)) {
            readMessage(record, value, flush);
        } else {
            shape = new Shape(value, record.keySchema());
            shapes.put(value.schema(), shape);
            readChange(record, value, shape, flush);
        }
    }

    private void readBoundary(SourceRecord record, Outbox.Chore flush) throws InterruptedException {
        Position boundary = Position.boundary(cursor.commitLsn(record.sourceOffset()));
        cutBefore(boundary, flush);
        if (boundary.compareTo(batch == null ? reached : batch.end()) > 0) {
            open().reach(boundary);
            openEvent = null;
        }
    }

    private void readMessage(SourceRecord record, Struct value, Outbox.Chore flush) throws InterruptedException {
        Map<String, ?> offset = record.sourceOffset();
        boolean alone = offset.get("lsn").equals(offset.get("lsn_commit"));
        if (!advance(record, value, alone, flush)) {
            return;
        }
        open().reach(place(alone));
        openEvent = alone ? null : value;
        byte[] content = value.getStruct("message").getBytes("content");
        if (content.length > 0) {
            batch.watermark(new String(content, StandardCharsets.UTF_8));
        }
        closesTransaction(commits.endAfter(value), flush);
        if (content.length > 0) {
            publish(flush);
        }
    }

    private void readChange(SourceRecord record, Struct value, Shape shape, Outbox.Chore flush)
            throws InterruptedException {
        if (!advance(record, value, false, flush)) {
            return;
        }
        char operation = shape.operation(value);
        TableSpec spec = open().spec(shape);
        if (spec != null && (batch.differs(shape) || operation == 't' && batch.hasRows())) {
            publish(flush);
            spec = open().spec(shape);
            openEvent = value;
        }
        if (operation == 'd' && record.headers().lastWithName(MOVED_FROM) != null) {
            move = new Move(spec == null ? null : shape.row(value, shape.before), cursor.stamp());
            return;
        }
        if (spec != null) {
            apply(operation, value, shape, spec);
        } else if (operation == 'u' && value.get(shape.before) != null) {
            cursor.countAgain();
        }
        move = null;
        batch.reach(cursor.position());
        if (batch.retainedBytes() >= limits.hardBytes) {
            publish(flush);
        }
    }

    /** Goes on to the next event; false when an earlier start delivered it already. */
    private boolean advance(SourceRecord record, Struct value, boolean alone, Outbox.Chore flush)
            throws InterruptedException {
        long before = cursor.commitLsn();
        cursor.advance(record.sourceOffset());
        if (move == null) { // the halves of a key change stay together
            cutBefore(place(alone), flush);
        }
        if (batch != null && cursor.commitLsn() > before) {
            batch.reach(Position.boundary(cursor.commitLsn()));
            if (batch.retainedBytes() >= limits.softBytes) {
                publish(flush);
            }
        }
        if (cursor.isBehindStart()) {
            return false;
        }
        openEvent = value;
        return true;
    }

    /** Where the event stands; a message outside of transactions stands between two of them. */
    private Position place(boolean alone) {
        return alone ? Position.boundary(cursor.commitLsn()) : cursor.position();
    }

    /** Ends a batch at each cut that comes before `position`, an empty one where there is nothing new. */
    private void cutBefore(Position position, Outbox.Chore flush) throws InterruptedException {
        while (!cuts.isEmpty() && cuts.peek().compareTo(position) < 0) {
            open().reach(cuts.poll());
            publish(flush);
        }
    }

    private void apply(char operation, Struct value, Shape shape, TableSpec spec) {
        if (operation == 't') {
            batch.truncate(shape, cursor.micros());
            return;
        }
        TableChanges changes = batch.changes(shape, spec, cursor.micros());
        long retained = changes.retainedBytes();
        change(changes, operation, value, shape);
        batch.grew(changes.retainedBytes() - retained);
    }

    private void change(TableChanges changes, char operation, Struct value, Shape shape) {
        Stamp first = cursor.stamp();
        if (operation == 'd') {
            changes.delete(shape.row(value, shape.before), first);
        } else if (move != null) {
            changes.update(move.before, shape.row(value, shape.after), move.stamp, first);
        } else if (operation == 'u') {
            String[] before = shape.row(value, shape.before);
            if (before != null) {
                cursor.countAgain(); // the old row goes, the new one comes: two lines, two ids
            }
            changes.update(before, shape.row(value, shape.after), first, cursor.stamp());
        } else {
            changes.insert(shape.row(value, shape.after), first);
        }
    }

    private boolean closesTransaction(long endLsn, Outbox.Chore flush) throws InterruptedException {
        if (endLsn < 0) {
            return false;
        }
        Position boundary = Position.boundary(endLsn);
        cutBefore(boundary, flush);
        open().reach(boundary);
        openEvent = null;
        return true;
    }

    private BatchBuilder open() {
        if (batch == null) {
            batch = new BatchBuilder(reached, specs);
        }
        return batch;
    }

    private void publish(Outbox.Chore flush) throws InterruptedException {
        BatchBuilder full = batch;
        batch = null;
        openEvent = null;
        if (full.hasMoved()) {
            reached = full.end();
            outbox.put(full.build(), flush);
        }
    }

    private void flush(RecordChangeEvent<SourceRecord> any, RecordCommitter<RecordChangeEvent<SourceRecord>> committer)
            throws InterruptedException {
        long lsn = outbox.acknowledgedLsn();
        if (lsn <= markedLsn) {
            return;
        }
        Offsets offsets = committer.buildOffsets();
        for (String name : List.of("lsn", "lsn_proc", "lsn_commit")) {
            offsets.set(name, lsn);
        }
        committer.markProcessed(any, offsets);
        committer.markBatchFinished();
        markedLsn = lsn;
    }
}
