"""Destinations: what changes are written to."""
