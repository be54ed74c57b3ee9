package rosetta.engine;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;

/**
 * Batches between the engine's thread and Python: bounded by the bytes that are not acknowledged, in order.
 *
 * <p>One batch always fits, however large. Behind the finished batches may lie one that is ripe: Python may have it,
 * and until it asks, the engine may take it back and go on gathering.
 */
final class Outbox {
    private final long boundBytes;
    private final Deque<Batch> waiting = new ArrayDeque<>();
    private final Deque<Sent> unacknowledged = new ArrayDeque<>();
    private BatchBuilder ripe;
    private long ripeNanos;
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
                if (fits(bytes)) {
                    batch.sequence = send(bytes, batch.end);
                    waiting.add(batch);
                    notifyAll();
                    return true;
                }
                wait();
            }
            onAcknowledged.run();
        }
    }

    /** Offers a batch to whoever asks from `atNanos` on. */
    synchronized void ripen(BatchBuilder batch, long atNanos) {
        ripe = batch;
        ripeNanos = atNanos;
        notifyAll();
    }

    /** Takes the offered batch back; null when there is none or Python has it. */
    synchronized BatchBuilder reclaim() {
        BatchBuilder batch = ripe;
        ripe = null;
        return batch;
    }

    /** The next batch, or null when none came in time or none will come. For one thread. */
    Batch take(long timeoutMillis) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
        BatchBuilder picked;
        long sequence;
        synchronized (this) {
            while (waiting.isEmpty() && !closed && !isRipe()) {
                long rest = Math.min(deadline, canRipen() ? ripeNanos : deadline) - System.nanoTime();
                if (deadline - System.nanoTime() <= 0) {
                    return null;
                }
                TimeUnit.NANOSECONDS.timedWait(this, Math.max(1, rest));
            }
            if (!waiting.isEmpty() || closed) {
                return waiting.poll();
            }
            picked = reclaim();
            sequence = send(picked.retainedBytes(), picked.end());
        }
        Batch batch = picked.build(); // outside of the lock, for this is where its text is written
        batch.sequence = sequence;
        return batch;
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

    private boolean isRipe() {
        return canRipen() && ripeNanos - System.nanoTime() <= 0;
    }

    private boolean canRipen() {
        return ripe != null && fits(ripe.retainedBytes());
    }

    private boolean fits(long bytes) {
        return outstandingBytes == 0 || outstandingBytes + bytes <= boundBytes;
    }

    private long send(long bytes, Position end) {
        unacknowledged.add(new Sent(++sequences, bytes, end.commitLsn()));
        outstandingBytes += bytes;
        return sequences;
    }
}
