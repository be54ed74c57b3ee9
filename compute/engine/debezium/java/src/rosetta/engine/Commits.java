package rosetta.engine;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Tells the reader of records where transactions end: Debezium makes no record of a commit, so the thread that
 * reads the WAL leaves a note here (see our `TransactionMonitor`).
 */
public final class Commits {
    /** Topic of the record that wakes a reader who asked to hear of the next commit. */
    public static final String TOPIC = "rosetta-commit";

    private static final Map<String, Commits> BY_SERVER = new ConcurrentHashMap<>();

    private volatile Note latest = new Note(null, 0);
    private volatile boolean wanted;

    /** The last event sent before the newest commit, and where that commit ends. */
    record Note(Object event, long endLsn) {
    }

    /** The notes of the engine whose `topic.prefix` is `server`. */
    public static Commits of(String server) {
        return BY_SERVER.computeIfAbsent(server, name -> new Commits());
    }

    public static void forget(String server) {
        BY_SERVER.remove(server);
    }

    /** Called for each commit after all its events were sent; returns whether to send a record that wakes the reader. */
    public boolean completed(Object lastEvent, long endLsn) {
        latest = new Note(lastEvent, endLsn);
        if (wanted) {
            wanted = false;
            return true;
        }
        return false;
    }

    /** Where the transaction of `event` ends, when `event` is its last; -1 while that is not known. */
    public long endAfter(Object event) {
        Note note = latest;
        return note.event == event ? note.endLsn : -1;
    }

    /** As `endAfter`; when it is not known yet, the next commit sends a record. */
    public long endAfterOrWake(Object event) {
        long end = endAfter(event);
        if (end >= 0) {
            return end;
        }
        wanted = true;
        end = endAfter(event);
        if (end >= 0) {
            wanted = false;
        }
        return end;
    }
}
