"""A filter that fits its table, and its evaluation on one row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from rosetta.filters.condition import LISTS, NULL_TESTS, PATTERNS, Condition, Operator
from rosetta.filters.folding import folded
from rosetta.filters.kinds import ColumnKind, Kind
from rosetta.filters.literals import single

_COMPARE: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.EQUAL: eq,
    Operator.NOT_EQUAL: ne,
    Operator.GREATER: gt,
    Operator.LESS: lt,
    Operator.GREATER_EQUAL: ge,
    Operator.LESS_EQUAL: le,
}


@dataclass(frozen=True, slots=True)
class TypedCondition:
    """A condition whose values are literals of the column's type; made by `check_filters`.

    Attributes:
        values: those of `condition`, as PostgreSQL would print them; a pattern as it is.
        nondeterministic: the column's collation holds different text for equal, which a filter does not.
    """

    condition: Condition
    known: ColumnKind
    values: tuple[str, ...]
    nondeterministic: bool = False

    @property
    def column(self) -> str:
        return self.condition.column

    @property
    def operator(self) -> Operator:
        return self.condition.operator

    @property
    def kind(self) -> Kind:
        return self.known.kind

    def passes(self, text: str | None) -> bool:
        """Whether the condition is true (neither false nor NULL) of a value's text form; None is NULL."""
        if self.operator in NULL_TESTS:
            return (text is None) is (self.operator is Operator.IS_NULL)
        if text is None:
            return False
        if self.operator in PATTERNS:
            return self._matches(text.rstrip(" ") if self.kind is Kind.PADDED else text)
        value, wanted = ordered(self.kind, text), [ordered(self.kind, one) for one in self.values]
        if self.operator in LISTS:
            return (value in wanted) is (self.operator is Operator.IN)
        if self.operator is Operator.BETWEEN:
            return bool(wanted[0] <= value <= wanted[1])
        return _COMPARE[self.operator](value, wanted[0])

    def _matches(self, text: str) -> bool:
        (pattern,) = self.values
        if self.operator is Operator.ILIKE:
            text, pattern = folded(text), folded(pattern)
        return like(text, pattern)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Conditions that a row must all meet; made by `check_filters`. False when there are none: every row passes."""

    conditions: tuple[TypedCondition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset(condition.column for condition in self.conditions)

    def passes(self, row: Mapping[str, str | None]) -> bool:
        """Whether a row passes, given the text form of its values (see `rosetta.filters`).

        Raises KeyError when the row lacks one of `columns`.
        """
        return all(condition.passes(row[condition.column]) for condition in self.conditions)


def like(text: str, pattern: str) -> bool:
    r"""Whether `text` is like `pattern` (`%`, `_`, `\`), in time that is at most their product."""
    segments = pattern_segments(pattern)
    first, last = segments[0], segments[-1]
    if len(segments) == 1:
        return len(text) == len(first) and _at(text, first, 0)
    end = len(text) - len(last)
    if not _at(text, first, 0) or end < len(first) or not _at(text, last, end):
        return False
    at = len(first)
    for segment in segments[1:-1]:
        while at + len(segment) <= end and not _at(text, segment, at):
            at += 1
        at += len(segment)
        if at > end:
            return False
    return True


def pattern_segments(pattern: str) -> list[list[str | None]]:
    """What stands between the `%` of a pattern: characters, None for any one."""
    segments: list[list[str | None]] = [[]]
    for piece in re.finditer(r"\\(.)|(%)|(_)|(.)", pattern, re.DOTALL):
        if piece[2]:
            segments.append([])
        else:
            segments[-1].append(None if piece[3] else piece[1] or piece[4])
    return segments


def _at(text: str, segment: list[str | None], at: int) -> bool:
    return at + len(segment) <= len(text) and all(
        wanted is None or text[at + place] == wanted for place, wanted in enumerate(segment)
    )


def ordered(kind: Kind, text: str) -> Any:
    """What a value's text form stands for, ordered as PostgreSQL orders it (text as the collation "C" does)."""
    match kind:
        case Kind.PADDED:
            return text.rstrip(" ")
        case Kind.INTEGER:
            return int(text)
        case Kind.NUMERIC:
            return (text == "NaN", Decimal(0 if text == "NaN" else text))
        case Kind.REAL | Kind.DOUBLE:
            number = single(text) if kind is Kind.REAL else float(text)
            return (text == "NaN", 0.0 if text == "NaN" else number)
        case Kind.DATE | Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            return _instant(text)
        case _:
            return text  # code points are ordered as their bytes in UTF-8 are


def _instant(text: str) -> tuple[int, int, str]:
    if text in {"infinity", "-infinity"}:
        return (1 if text == "infinity" else -1, 0, "")
    year, _, rest = text.partition("-")
    if rest.endswith(" BC"):
        return (0, -int(year), rest.removesuffix(" BC"))
    return (0, int(year), rest)
