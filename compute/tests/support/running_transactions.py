"""What a slot has to read before it can let its WAL go: which transactions run."""

from __future__ import annotations

from rosetta.local.postgres import PostgresCluster


def log_them(cluster: PostgresCluster) -> str:
    """The statement that has the server log them at once; before 16 a checkpoint does."""
    return "SELECT pg_log_standby_snapshot()" if cluster.major_version() >= 16 else "CHECKPOINT"
