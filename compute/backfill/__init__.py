"""Copies of tables that are exact beside a running stream."""
