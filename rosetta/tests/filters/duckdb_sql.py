"""A filter as DuckDB's SQL, over columns of VARCHAR that hold what PostgreSQL prints: another judge, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from rosetta.dialects.postgres import quoted
from rosetta.filters.comparing import Algebra, Constant, Logic, Sign, truth
from rosetta.filters.row_filter import RowFilter

_NAME: Final = "filter_"


def duckdb_bound(row_filter: RowFilter) -> tuple[str, dict[str, Constant]]:
    """The filter, and its values as the parameters `$filter_1` and so on; `true` when it has no condition.

    Exact, under DuckDB's default collation. NULL where a condition is NULL of a row, as in PostgreSQL.
    """
    algebra = _Sql()
    parts = [truth(algebra, condition, quoted(condition.column)) for condition in row_filter.conditions]
    return " AND ".join(parts) or "true", algebra.parameters


class _SqlLogic(Logic[str]):
    def is_null(self, values: str) -> str:
        return f"({values} IS NULL)"

    def both(self, one: str, other: str) -> str:
        return f"({one} AND {other})"

    def either(self, one: str, other: str) -> str:
        return f"({one} OR {other})"

    def negated(self, truth: str) -> str:
        return f"(NOT {truth})"


class _Sql(_SqlLogic, Algebra[str]):
    """Expressions in parentheses where they need them."""

    def __init__(self) -> None:
        self.parameters: dict[str, Constant] = {}

    def compare(self, values: str, sign: Sign, constant: Constant) -> str:
        return f"({values} {sign} {self._bound(constant)})"

    def among(self, values: str, constants: Sequence[Constant]) -> str:
        return f"({values} IN ({', '.join(self._bound(constant) for constant in constants)}))"

    def like(self, values: str, pattern: str) -> str:
        return f"({values} LIKE {self._bound(pattern)} ESCAPE '\\')"

    def folded(self, values: str) -> str:
        return f"translate({values}, '{ascii_uppercase}', '{ascii_lowercase}')"

    def unpadded(self, values: str) -> str:
        return f"rtrim({values}, ' ')"

    def trimmed(self, values: str) -> str:
        return f"CASE WHEN contains({values}, '.') THEN rtrim(rtrim({values}, '0'), '.') ELSE {values} END"

    def place(self, values: str, sign: str) -> str:
        return f"(strpos({values} || '{sign}', '{sign}') - 1)"

    def integers(self, values: str) -> str:
        return f"CAST({values} AS BIGINT)"

    def floats(self, values: str, *, single_precision: bool) -> str:
        return f"CAST({values} AS {'REAL' if single_precision else 'DOUBLE'})"

    def _bound(self, constant: Constant) -> str:
        name = f"{_NAME}{len(self.parameters) + 1}"
        self.parameters[name] = constant
        return f"${name}"
