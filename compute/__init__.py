"""The replication service: one process per pipeline, from a source's WAL to its destinations."""
