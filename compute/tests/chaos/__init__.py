"""Faults injected into the shipped services on real servers, and one oracle that judges every case."""
