"""Snowpipe Streaming over REST: rows into landing tables within seconds, without a warehouse."""
