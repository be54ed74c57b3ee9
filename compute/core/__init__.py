"""Supervision, the batch and its way from the engine to the destinations."""
