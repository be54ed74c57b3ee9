"""Which types a filter can compare, and how their values stand in text. Everything else is refused, with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from rosetta.dialects.postgres import quoted
from rosetta.types import Column, UserType
from rosetta.types.widening import split_type


class Kind(Enum):
    """Types whose text forms are compared the same way."""

    TEXT = auto()
    PADDED = auto()  # char(n): trailing spaces do not count
    INTEGER = auto()
    NUMERIC = auto()
    REAL = auto()
    DOUBLE = auto()
    BOOLEAN = auto()
    UUID = auto()
    BYTES = auto()
    DATE = auto()
    TIMESTAMP = auto()
    TIMESTAMPTZ = auto()
    TIME = auto()
    ENUM = auto()
    OTHER = auto()  # can only be tested for NULL


TEXTS: Final = frozenset({Kind.TEXT, Kind.PADDED})

_KINDS: Final = {
    "text": Kind.TEXT,
    "character varying": Kind.TEXT,
    "name": Kind.TEXT,
    "character": Kind.PADDED,
    "bpchar": Kind.PADDED,
    "smallint": Kind.INTEGER,
    "integer": Kind.INTEGER,
    "bigint": Kind.INTEGER,
    "oid": Kind.INTEGER,
    "numeric": Kind.NUMERIC,
    "real": Kind.REAL,
    "double precision": Kind.DOUBLE,
    "boolean": Kind.BOOLEAN,
    "uuid": Kind.UUID,
    "bytea": Kind.BYTES,
    "date": Kind.DATE,
    "timestamp without time zone": Kind.TIMESTAMP,
    "timestamp with time zone": Kind.TIMESTAMPTZ,
    "time without time zone": Kind.TIME,
}
_REASONS: Final = {
    "money": "it is printed and read by the server's locale",
    "interval": "values that print differently are equal (30 days and 1 month)",
    "time with time zone": "values are ordered by two things at once, the instant and the zone",
    "json": "PostgreSQL does not compare it",
    "xml": "PostgreSQL does not compare it",
    "jsonb": "values that print differently are equal (1.0 and 1.00)",
}
_BY_USER_TYPE: Final = {"citext": "it folds letters by the database's locale"}
_ARRAY: Final = "arrays are compared element by element"
_UNKNOWN: Final = "its comparison is known only to the server"
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ColumnKind:
    """What a column is to a filter.

    Attributes:
        type: without modifiers, and of a domain what is below it.
        domain: the column's type is a domain, whose values PostgreSQL has to be told to compare as `type`.
        labels: an enum's.
        reason: of OTHER: why its values cannot be compared alike everywhere.
    """

    kind: Kind
    type: str
    domain: bool = False
    labels: tuple[str, ...] = ()
    reason: str = ""


def kind_of(column: Column) -> ColumnKind:
    """Looks through domains."""
    type_, domain = column.type, False
    below = _user_type(column, type_)
    while below is not None and below.kind == "domain":
        type_, domain = below.definition[0], True
        below = _user_type(column, type_)
    if below is not None and below.kind == "enum":
        return ColumnKind(Kind.ENUM, type_, domain, labels=below.definition)
    name, _ = split_type(type_)
    kind = _KINDS.get(name, Kind.OTHER)
    if kind is not Kind.OTHER:
        return ColumnKind(kind, name, domain)
    return ColumnKind(kind, type_, domain, reason=_reason(name, below))


def _reason(name: str, below: UserType | None) -> str:
    if name.endswith("[]"):
        return _ARRAY
    if below is not None:
        return _BY_USER_TYPE.get(below.name, _UNKNOWN)
    return _REASONS.get("interval" if name.startswith("interval") else name, _UNKNOWN)  # interval day to second


def _user_type(column: Column, type_: str) -> UserType | None:
    """The column's user type that `format_type()` prints as `type_`."""
    for user_type in column.user_types:
        if type_ in {f"{schema}.{name}" for schema in _printed(user_type.schema) for name in _printed(user_type.name)}:
            return user_type
    return None


def _printed(name: str) -> tuple[str, ...]:
    """An ordinary name is printed bare, unless it is a key word."""
    return (name, quoted(name)) if _PLAIN.fullmatch(name) else (quoted(name),)
