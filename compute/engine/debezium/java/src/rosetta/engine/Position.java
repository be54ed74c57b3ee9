package rosetta.engine;

/** A point of the stream, as `rosetta.lsn.StreamPosition` defines it; comparing two tells which comes first. */
record Position(long commitLsn, long changeLsn, long ordinal) implements Comparable<Position> {

    static Position boundary(long commitLsn) {
        return new Position(commitLsn, 0, 0);
    }

    /** The position that three numbers from `index` on spell. */
    static Position of(long[] numbers, int index) {
        return new Position(numbers[index], numbers[index + 1], numbers[index + 2]);
    }

    @Override
    public int compareTo(Position other) {
        int byCommit = Long.compare(commitLsn, other.commitLsn);
        if (byCommit != 0) {
            return byCommit;
        }
        int byChange = Long.compare(changeLsn, other.changeLsn);
        return byChange != 0 ? byChange : Long.compare(ordinal, other.ordinal);
    }
}
