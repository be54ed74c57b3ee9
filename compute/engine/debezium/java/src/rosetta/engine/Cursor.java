package rosetta.engine;

import java.util.Map;

/** Gives every event of the stream its position, the same one each time it is delivered. */
final class Cursor {
    private final Position start;
    private long commitLsn;
    private long changeLsn = -1;
    private long ordinal;
    private long xid;
    private long micros;
    private boolean behind = true;

    /** `referenceXid` is any 64-bit transaction id of the source's present: it widens the stream's 32-bit ids. */
    Cursor(Position start, long referenceXid) {
        this.start = start;
        this.commitLsn = start.commitLsn();
        this.xid = referenceXid;
    }

    /** Goes on to the event with this source offset. */
    void advance(Map<String, ?> offset) {
        long commit = commitLsn(offset);
        long lsn = number(offset, "lsn");
        if (commit == commitLsn && lsn == changeLsn) {
            ordinal++;
        } else {
            ordinal = 0;
        }
        commitLsn = commit;
        changeLsn = lsn;
        micros = number(offset, "ts_usec");
        Object transaction = offset.get("txId");
        if (transaction != null) {
            // The stream's ids lie within 2^31 of each other, before or after.
            xid += (int) (((Number) transaction).longValue() - xid);
        }
    }

    /** Counts a second line of the same event. */
    void countAgain() {
        ordinal++;
    }

    /** End of the last transaction before the event with this offset: the first one after a start says nothing of it. */
    long commitLsn(Map<String, ?> offset) {
        Object commit = offset.get("lsn_commit");
        return commit == null ? commitLsn : Math.max(commitLsn, ((Number) commit).longValue());
    }

    long commitLsn() {
        return commitLsn;
    }

    Position position() {
        return new Position(commitLsn, changeLsn, ordinal);
    }

    Stamp stamp() {
        return new Stamp(changeLsn, ordinal, xid, micros);
    }

    long micros() {
        return micros;
    }

    /** Whether the event was delivered before this start. */
    boolean isBehindStart() {
        behind = behind && position().compareTo(start) <= 0;
        return behind;
    }

    private static long number(Map<String, ?> offset, String name) {
        return ((Number) offset.get(name)).longValue();
    }
}
