"""SQL text for PostgreSQL."""

from rosetta.dialects.postgres.text import EXACT_TEXT_SETTINGS, literal, qualified, quoted, startup_options

__all__ = ["EXACT_TEXT_SETTINGS", "literal", "qualified", "quoted", "startup_options"]
