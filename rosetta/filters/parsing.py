"""From what a person wrote to conditions: `created_at >= '2026-01-01'`, or an object `{column, operator, value}`.

Anything that is not exactly one condition is refused, with the place where it ceases to be one. Errors quote
nothing of the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from rosetta.errors import ConfigurationError
from rosetta.filters.condition import (
    LISTS,
    MAX_CHARACTERS,
    MAX_CONDITIONS,
    MAX_VALUES,
    NULL_TESTS,
    Condition,
    Operator,
)
from rosetta.filters.scanning import Scanner, refusal

_FORMS: Final = "Write e.g. created_at >= '2026-01-01', or an object with `column`, `operator` and `value`."
_OPERATORS: Final = {operator.value: operator for operator in Operator} | {"<>": Operator.NOT_EQUAL}
_KNOWN: Final = f"Use one of {', '.join(Operator)}."
# A decimal of up to so many digits is the same after its way through a JSON reader's binary number.
_SAFE_DIGITS: Final = 15


def parse_filters(filters: Sequence[str | Mapping[str, Any]]) -> tuple[Condition, ...]:
    """The conditions of a list, all of which a row must meet; an empty list lets every row pass.

    Raises ConfigurationError (`FILTER_INVALID`) that says which filter is wrong, where, and how to mend it.
    """
    if len(filters) > MAX_CONDITIONS:
        raise refusal(f"{len(filters)} filters are given, at most {MAX_CONDITIONS} can be", "Leave some of them out.")
    return tuple(_numbered(filters))


def _numbered(filters: Sequence[str | Mapping[str, Any]]) -> Iterator[Condition]:
    for number, written in enumerate(filters, 1):
        try:
            yield parse_condition(written)
        except ConfigurationError as error:
            raise refusal(f"filter {number}: {error.message}", error.remedy) from None


def parse_condition(written: str | Mapping[str, Any]) -> Condition:
    """One condition, from either form. Raises ConfigurationError (`FILTER_INVALID`), as `parse_filters`."""
    if isinstance(written, str):
        return _from_text(written)
    if isinstance(written, Mapping):
        return _from_object(written)
    raise refusal("a filter is a string or an object", _FORMS)


def _from_text(text: str) -> Condition:
    if len(text) > MAX_CHARACTERS * 10:
        raise refusal("the filter is too long", f"Keep it under {MAX_CHARACTERS * 10} characters.")
    scanner = Scanner(text)
    column = scanner.column()
    operator = _operator(scanner)
    values: list[str] = []
    if operator in LISTS:
        scanner.expect("(", "a list in parentheses")
        values.append(scanner.value())
        while scanner.accept(","):
            values.append(scanner.value())
        scanner.expect(")", "`,` or `)`")
    elif operator is Operator.BETWEEN:
        values.append(scanner.value())
        if scanner.word() != "AND":
            scanner.back()
            raise scanner.refused("BETWEEN takes two values with AND between them", "Write BETWEEN 1 AND 5.")
        values.append(scanner.value())
    elif operator not in NULL_TESTS:
        values.append(scanner.value())
    scanner.end()
    return _condition(column, operator, values)


def _operator(scanner: Scanner) -> Operator:
    spelled = scanner.symbol()
    if not spelled:
        spelled = scanner.word()
        if spelled == "NOT":
            spelled = f"NOT {scanner.word()}"
        elif spelled == "IS":
            spelled = f"IS {scanner.word()}"
            if spelled == "IS NOT":
                spelled = f"IS NOT {scanner.word()}"
    operator = _OPERATORS.get(spelled)
    if operator is None:
        if spelled:
            scanner.back()
        raise scanner.refused("an operator is expected here", _KNOWN)
    return operator


def _from_object(written: Mapping[str, Any]) -> Condition:
    unknown = sorted(str(name) for name in written.keys() - {"column", "operator", "value"})
    if unknown:
        raise refusal("the object has more than `column`, `operator` and `value`", "Leave the rest out.")
    column, name = written.get("column"), written.get("operator")
    if not isinstance(column, str) or not isinstance(name, str):
        raise refusal("`column` and `operator` must be given, as strings", _FORMS)
    spelled = " ".join(name.upper().split())
    operator = _OPERATORS.get(spelled)
    if operator is None:
        raise refusal("this operator is not known", _KNOWN)
    return _condition(column, operator, _values(operator, written.get("value")))


def _values(operator: Operator, value: Any) -> list[str]:
    if operator in NULL_TESTS:
        if value is not None:
            raise refusal(f"{operator} takes no value", "Leave `value` out.")
        return []
    if operator in LISTS or operator is Operator.BETWEEN:
        if not isinstance(value, list | tuple):
            raise refusal(f"{operator} takes a list as `value`", 'Write e.g. "value": [1, 5].')
        return [_text(item) for item in value]
    return [_text(value)]


def _text(value: Any) -> str:
    """A JSON value as the text that stands for it in a filter string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return format(Decimal(value), "f")  # of any length, unlike str
    if isinstance(value, float):
        text = repr(value)
        if sum(character.isdigit() for character in text.partition("e")[0].replace(".", "").strip("0")) > _SAFE_DIGITS:
            raise refusal("the number may have lost digits on its way here", "Write it as a string.")
        return text
    if value is None:
        raise refusal("NULL is no value to compare with", "Use IS NULL or IS NOT NULL.")
    raise refusal("a value must be a string, a number or a boolean", "Write it as a string.")


def _condition(column: str, operator: Operator, values: Sequence[str]) -> Condition:
    """What holds for both forms."""
    if operator is Operator.BETWEEN and len(values) != 2:
        raise refusal("BETWEEN takes two values", "Give the lower and the upper one.")
    if operator in LISTS and not 0 < len(values) <= MAX_VALUES:
        raise refusal(f"{operator} takes 1 to {MAX_VALUES} values", "Give some, or fewer.")
    if not column:
        raise refusal("the column's name is empty", "Name a column of the table.")
    for text in (column, *values):
        if len(text) > MAX_CHARACTERS:
            raise refusal("a value is too long", f"Keep each under {MAX_CHARACTERS} characters.")
        if "\0" in text or not _encodable(text):
            raise refusal("there is a character that PostgreSQL's text cannot hold", "Take it out.")
    return Condition(column, operator, tuple(values))


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
