"""One condition on one column of a row, as a person states it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rosetta.dialects.postgres import quoted

MAX_CONDITIONS: Final = 5
MAX_VALUES: Final = 1_000
MAX_CHARACTERS: Final = 10_000


class Operator(StrEnum):
    """What a condition asks of a column, as it is written."""

    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"
    GREATER_EQUAL = ">="
    LESS_EQUAL = "<="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    BETWEEN = "BETWEEN"
    IS_NULL = "IS NULL"
    IS_NOT_NULL = "IS NOT NULL"


NULL_TESTS: Final = frozenset({Operator.IS_NULL, Operator.IS_NOT_NULL})
LISTS: Final = frozenset({Operator.IN, Operator.NOT_IN})
PATTERNS: Final = frozenset({Operator.LIKE, Operator.ILIKE})
ORDERED: Final = frozenset(
    {Operator.GREATER, Operator.LESS, Operator.GREATER_EQUAL, Operator.LESS_EQUAL, Operator.BETWEEN}
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A column, an operator and the values it takes; made by `parse_condition`, which keeps its promises.

    Attributes:
        column: exactly as the catalog spells it.
        values: as text, whatever way they were written; the column's type says what they mean. None for a test
            for NULL, two for BETWEEN (lower, upper), one or more for IN and NOT IN, else one. Never NULL.
    """

    column: str
    operator: Operator
    values: tuple[str, ...] = ()

    def as_object(self) -> dict[str, str | list[str]]:
        """The condition as JSON `{column, operator, value}`, which parses to the same condition."""
        made: dict[str, str | list[str]] = {"column": self.column, "operator": self.operator.value}
        if self.operator in LISTS or self.operator is Operator.BETWEEN:
            made["value"] = list(self.values)
        elif self.values:
            made["value"] = self.values[0]
        return made

    def __str__(self) -> str:
        """The condition as it can be written, which parses to the same condition."""
        start = f"{quoted(self.column)} {self.operator}"
        texts = ["'" + value.replace("'", "''") + "'" for value in self.values]
        if self.operator in LISTS:
            return f"{start} ({', '.join(texts)})"
        return " ".join([start, " AND ".join(texts)]) if texts else start
