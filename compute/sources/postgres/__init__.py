"""A PostgreSQL server as a source: its tables, its slots, and the marks we write into its log."""

from compute.sources.postgres.source import PostgresSource, SlotInfo

__all__ = ["PostgresSource", "SlotInfo"]
