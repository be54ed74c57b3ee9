"""Why a stream cannot be followed."""

from __future__ import annotations


class StreamError(Exception):
    """What came is not what a replication stream holds, or cannot be followed as it is. Quotes no row."""
