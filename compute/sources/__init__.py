"""Sources: what is read besides the stream."""
