package rosetta.engine;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/**
 * Batches between the engine's thread and Python: bounded by the bytes that are not acknowledged, in order.
 *
 * <p>One batch always fits, however large. Batches that only move the position are merged while they wait.
 */
final class Outbox {
    private final long boundBytes;
    private final Deque<Batch> waiting = new ArrayDeque<>();
    private final Deque<Sent> unacknowledged = new ArrayDeque<>();
    private long outstandingBytes;
    private long sequences;
    private long acknowledgedLsn;
    private boolean closed;

    private record Sent(long sequence, long bytes, long commitLsn) {
    }

    /** Work that only the engine's thread may do, done while it waits for room. */
    interface Chore {
        void run() throws InterruptedException;
    }

    Outbox(long boundBytes, long startLsn) {
        this.boundBytes = boundBytes;
        this.acknowledgedLsn = startLsn;
    }

    /** Queues a batch, waiting for room; returns false when the outbox was closed meanwhile. */
    boolean put(Batch batch, Chore onAcknowledged) throws InterruptedException {
        long bytes = batch.byteCount();
        while (true) {
            synchronized (this) {
                if (closed) {
                    return false;
                }
                if (outstandingBytes == 0 || outstandingBytes + bytes <= boundBytes) {
                    enqueue(batch, bytes);
                    return true;
                }
                wait();
            }
            onAcknowledged.run();
        }
    }

    /** The next batch, or null when none came in time or none will come. */
    synchronized Batch take(long timeoutMillis) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        while (waiting.isEmpty() && !closed) {
            long rest = deadline - System.nanoTime();
            if (rest <= 0) {
                return null;
            }
            TimeUnit.NANOSECONDS.timedWait(this, rest);
        }
        return waiting.poll();
    }

    synchronized void acknowledge(long sequence) {
        while (!unacknowledged.isEmpty() && unacknowledged.peek().sequence <= sequence) {
            Sent sent = unacknowledged.poll();
            outstandingBytes -= sent.bytes;
            acknowledgedLsn = Math.max(acknowledgedLsn, sent.commitLsn);
        }
        notifyAll();
    }

    /** The newest commit whose changes, and all before, are acknowledged. */
    synchronized long acknowledgedLsn() {
        return acknowledgedLsn;
    }

    /** Nothing is queued any more; what waits can still be taken. */
    synchronized void close() {
        closed = true;
        notifyAll();
    }

    synchronized boolean isClosed() {
        return closed;
    }

    private void enqueue(Batch batch, long bytes) {
        Batch last = waiting.peekLast();
        if (batch.isEmpty() && last != null && last.isEmpty()) {
            waiting.pollLast();
            unacknowledged.pollLast();
            batch = last.movedTo(batch.end);
        } else {
            batch.sequence = ++sequences;
        }
        waiting.add(batch);
        unacknowledged.add(new Sent(batch.sequence, bytes, batch.end.commitLsn()));
        outstandingBytes += bytes;
        notifyAll();
    }
}
