"""A filter over columns of Arrow text: one pass of compiled code per operation, no Python per row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from rosetta.filters.comparing import Algebra, Constant, Logic, Sign, truth
from rosetta.filters.row_filter import RowFilter, pattern_segments

Column: TypeAlias = Any  # pyarrow comes without types: pa.Array or pa.ChunkedArray, of string or large_string

_COMPARE: Final = {"=": pc.equal, "<": pc.less, ">": pc.greater}


class Matcher:
    """A filter made ready for the stream. Holds no rows; may be used by one thread at a time or by many."""

    def __init__(self, row_filter: RowFilter) -> None:
        self._filter = row_filter

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return self._filter.columns

    def mask(self, columns: Mapping[str, Column]) -> Any:
        """Whether each row passes, as a pyarrow BooleanArray without NULL.

        Args:
            columns: of strings (or what casts to strings), all of one length, that hold what PostgreSQL prints under
                `EXACT_TEXT_SETTINGS`; at least those of `self.columns`, and one when there is no condition.

        Raises KeyError when a column is missing, pyarrow.ArrowInvalid when a number is none.
        """
        algebra = _Arrow()
        texts = {name: _text(columns[name]) for name in self.columns}
        passed = [
            pc.fill_null(truth(algebra, condition, texts[condition.column]), False)
            for condition in self._filter.conditions
        ]
        if not passed:
            passed.append(pa.repeat(pa.scalar(True), len(next(iter(columns.values())))))
        found = reduce(pc.and_, passed)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


class _ArrowLogic(Logic[Column]):
    def is_null(self, values: Column) -> Column:
        return pc.is_null(values)

    def both(self, one: Column, other: Column) -> Column:
        return pc.and_kleene(one, other)

    def either(self, one: Column, other: Column) -> Column:
        return pc.or_kleene(one, other)

    def negated(self, truth: Column) -> Column:
        return pc.invert(truth)


class _Arrow(_ArrowLogic, Algebra[Column]):
    """Lives for one mask: what is looked for twice in a column is found once."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, str], Column] = {}

    def compare(self, values: Column, sign: Sign, constant: Constant) -> Column:
        return _COMPARE[sign](values, _scalar(values, constant))

    def among(self, values: Column, constants: Sequence[Constant]) -> Column:
        found = pc.is_in(values, value_set=pa.array(constants, type=values.type))
        return pc.if_else(pc.is_valid(values), found, pa.scalar(None, pa.bool_()))

    def like(self, values: Column, pattern: str) -> Column:
        # Arrow 26 leaves escapes as they are where it takes a pattern for "begins with", "ends with" or "contains"
        escapes = "\\" in pattern
        return pc.match_substring_regex(values, _expression(pattern)) if escapes else pc.match_like(values, pattern)

    def folded(self, values: Column) -> Column:
        return pc.ascii_lower(values)

    def unpadded(self, values: Column) -> Column:
        return pc.ascii_rtrim(values, " ")

    def trimmed(self, values: Column) -> Column:
        fractional = pc.greater_equal(self._found(values, "."), 0)
        if not pc.any(fractional, min_count=0).as_py():
            return values
        trimmed = pc.ascii_rtrim(pc.ascii_rtrim(values, "0"), ".")
        return trimmed if pc.all(fractional, min_count=0).as_py() else pc.if_else(fractional, trimmed, values)

    def place(self, values: Column, sign: str) -> Column:
        found = self._found(values, sign)
        return pc.if_else(pc.less(found, 0), pc.binary_length(values), found)

    def integers(self, values: Column) -> Column:
        return pc.cast(values, pa.int64())

    def floats(self, values: Column, *, single_precision: bool) -> Column:
        # adding nothing turns -0 into 0, which `among` would tell apart
        return pc.add(pc.cast(values, pa.float32() if single_precision else pa.float64()), _zero(single_precision))

    def _found(self, values: Column, sign: str) -> Column:
        known = (id(values), sign)
        if known not in self._places:
            self._places[known] = pc.find_substring(values, sign)
        return self._places[known]


def _expression(pattern: str) -> str:
    """What a LIKE pattern says, as a regular expression of RE2."""
    return f"(?s)\\A{'.*'.join(_segment(segment) for segment in pattern_segments(pattern))}\\z"


def _segment(segment: list[str | None]) -> str:
    return "".join("." if letter is None else re.escape(letter) for letter in segment)


def _text(values: Column) -> Column:
    return values if pa.types.is_string(values.type) or pa.types.is_large_string(values.type) else values.cast("string")


def _scalar(values: Column, constant: Constant) -> Any:
    return pa.scalar(constant, values.type)


def _zero(single_precision: bool) -> Any:
    return pa.scalar(0.0, pa.float32() if single_precision else pa.float64())
