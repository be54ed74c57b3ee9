"""Snowflake: its names, types and statements as text, and the keys that sign in to it. No driver."""
