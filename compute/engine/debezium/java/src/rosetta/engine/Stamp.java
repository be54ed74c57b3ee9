package rosetta.engine;

/** What every line says of its change: (lsn, ordinal) is its id, xid has 64 bits, the time is in microseconds since 1970. */
record Stamp(long lsn, long ordinal, long xid, long micros) {
}
