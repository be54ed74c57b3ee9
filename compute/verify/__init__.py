"""Verifications that were asked for in the config database, each in a process of its own."""
