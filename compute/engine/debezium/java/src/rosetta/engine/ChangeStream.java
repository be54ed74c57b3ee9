package rosetta.engine;

import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.RecordChangeEvent;
import io.debezium.engine.format.ChangeEventFormat;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.connect.source.SourceRecord;

/** One Debezium engine as Python drives it. Every method may be called from any thread. */
public final class ChangeStream {
    private static final long RETRY_MILLIS = 20;

    private final String server;
    private final Outbox outbox;
    private final RecordReader reader;
    private final DebeziumEngine<RecordChangeEvent<SourceRecord>> engine;
    private final Thread thread;
    private volatile boolean stopping;
    private volatile String failure;

    /**
     * Makes an engine that starts behind `start` (commit LSN, change LSN, ordinal).
     *
     * @param cuts positions behind `start`, ascending, three numbers each: a batch ends at each of them
     * @param limits bytes at which a batch is cut between transactions, bytes at which it is cut anywhere, and
     *     bytes that may be unacknowledged
     * @param tables see `TableSpec.parse`
     */
    public ChangeStream(Properties properties, long[] start, long[] cuts, long referenceXid, long[] limits,
            String[][] tables) {
        Position position = Position.of(start, 0);
        server = properties.getProperty("topic.prefix");
        outbox = new Outbox(limits[2], position.commitLsn());
        List<Position> ends = new ArrayList<>(cuts.length / 3);
        for (int index = 0; index < cuts.length; index += 3) {
            ends.add(Position.of(cuts, index));
        }
        RecordReader.Limits bounds = new RecordReader.Limits(limits[0], limits[1]);
        reader = new RecordReader(server, outbox, bounds, position, ends, referenceXid);
        reader.setTables(TableSpec.parse(tables));
        engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
                .using(properties)
                .notifying(reader)
                .using(this::completed)
                .build();
        thread = new Thread(engine::run, "rosetta-engine");
        thread.setDaemon(true);
    }

    public void start() {
        thread.start();
    }

    /** The next batch, or null when none came in time or the stream ended. */
    public Batch take(long timeoutMillis) throws InterruptedException {
        return outbox.take(timeoutMillis);
    }

    public void acknowledge(long sequence) {
        outbox.acknowledge(sequence);
    }

    public void setTables(String[][] tables) {
        reader.setTables(TableSpec.parse(tables));
    }

    /** Whether anything came through the slot. */
    public boolean isStreaming() {
        return reader.isStreaming();
    }

    /** Why the stream ended without being asked to; null while it has not. */
    public String failure() {
        return failure;
    }

    /** Flushes what was acknowledged and ends the stream; returns whether that was done in time. */
    public boolean stop(long timeoutMillis) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        while (isFlushPending() && System.nanoTime() < deadline - TimeUnit.MILLISECONDS.toNanos(timeoutMillis / 2)) {
            Thread.sleep(RETRY_MILLIS);
        }
        stopping = true;
        outbox.close();
        while (thread.isAlive() && System.nanoTime() < deadline) {
            close();
            thread.join(RETRY_MILLIS);
        }
        Commits.forget(server);
        return !thread.isAlive();
    }

    private boolean isFlushPending() {
        return thread.isAlive() && reader.isStreaming() && !reader.hasFlushed(outbox.acknowledgedLsn());
    }

    /** Debezium refuses to be closed while it starts, and twice; the caller tries again until the thread ended. */
    private void close() {
        try {
            engine.close();
        } catch (IllegalStateException refused) {
            return;
        } catch (IOException error) {
            throw new IllegalStateException("closing the engine failed", error);
        }
    }

    private void completed(boolean success, String message, Throwable error) {
        if (!stopping) {
            failure = success ? "the engine ended by itself" : Reason.of(message, error);
        }
        outbox.close();
    }
}
