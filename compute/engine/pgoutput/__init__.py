"""The change engine that reads the logical replication protocol itself, without a JVM."""
