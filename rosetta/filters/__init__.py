"""Row filters: parsed once, and evaluated alike in PostgreSQL, DuckDB and Python.

parse_filters(written) -> conditions     what a person wrote, without knowing the table
"""

from rosetta.filters.condition import MAX_CONDITIONS, Condition, Operator
from rosetta.filters.parsing import parse_condition, parse_filters

__all__ = ["MAX_CONDITIONS", "Condition", "Operator", "parse_condition", "parse_filters"]
