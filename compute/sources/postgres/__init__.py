"""A PostgreSQL server as a source: its tables, its slots, and the marks we write into its log."""

from compute.sources.postgres.slots import Origin, SlotInfo, Survey
from compute.sources.postgres.source import PostgresSource

__all__ = ["Origin", "PostgresSource", "SlotInfo", "Survey"]
