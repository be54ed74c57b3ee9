"""A PostgreSQL server as a source: its tables, its slots, and the marks we write into its log."""

from compute.sources.postgres.slots import Origin, SlotInfo, Survey
from compute.sources.postgres.source import PostgresSource, standby_waits
from compute.sources.postgres.timelines import branch_point

__all__ = ["Origin", "PostgresSource", "SlotInfo", "Survey", "branch_point", "standby_waits"]
