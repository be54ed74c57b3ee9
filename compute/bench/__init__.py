"""What the hot path does per second, beside native replication and beside the obvious way, in one run."""
