"""PostgreSQL as a destination."""

from compute.destinations.postgres.destination import PostgresDestination

__all__ = ["PostgresDestination"]
