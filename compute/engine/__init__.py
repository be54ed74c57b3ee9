"""Change engines: what reads a source's WAL."""
