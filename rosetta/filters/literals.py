"""A condition's values as literals of its column's type: each in one form, that which PostgreSQL would print."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from rosetta.filters.instants import date_text, time_text, timestamp_text
from rosetta.filters.kinds import ColumnKind, Kind

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,5})?")
_MOST_DIGITS: Final = 1_000
_RANGES: Final = {
    "smallint": range(-(2**15), 2**15),
    "integer": range(-(2**31), 2**31),
    "bigint": range(-(2**63), 2**63),
    "oid": range(2**32),
}
_SPECIAL: Final = {
    "nan": "NaN",
    **dict.fromkeys(("infinity", "inf", "+infinity", "+inf"), "Infinity"),
    **dict.fromkeys(("-infinity", "-inf"), "-Infinity"),
}
_BOOLEANS: Final = dict.fromkeys(("t", "true", "y", "yes", "on", "1"), "t") | dict.fromkeys(
    ("f", "false", "n", "no", "off", "0"), "f"
)
_UUID: Final = re.compile(r"[0-9a-f]{32}")
_BYTES: Final = re.compile(r"\\x(?:[0-9a-fA-F]{2})*")

# How to write a value of each kind whose values have a form.
FORMS: Final = {
    Kind.INTEGER: "a whole number within the type's range",
    Kind.NUMERIC: f"a number of at most {_MOST_DIGITS} digits on either side of the point, NaN or Infinity",
    Kind.REAL: "a number within the type's range, NaN or Infinity",
    Kind.DOUBLE: "a number within the type's range, NaN or Infinity",
    Kind.BOOLEAN: "true or false",
    Kind.UUID: "a UUID of 32 hexadecimal digits",
    Kind.BYTES: r"bytes as \x and hexadecimal digits",
    Kind.DATE: "a date as 2026-01-31, or infinity",
    Kind.TIMESTAMP: "a timestamp as 2026-01-31 12:00:00 without a zone, or infinity",
    Kind.TIMESTAMPTZ: "a timestamp as 2026-01-31 12:00:00+01, or infinity",
    Kind.TIME: "a time as 12:00:00",
    Kind.ENUM: "one of the type's labels",
}


def literal_of(column: ColumnKind, text: str) -> str | None:
    """`text` in the one form of its kind; None when it is no value of the type."""
    return _READERS[column.kind](column, text)


def single(text: str) -> float:
    """The single precision number that `text` is read as, infinite beyond the range.

    Rounded once. By way of a double it is rounded twice, which goes wrong where the double lies in the middle of two.
    """
    number = float(text)
    try:
        near: float = struct.unpack("f", struct.pack("f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    if near == number or math.isnan(number) or math.isinf(near):
        return near
    other = _beside(near, number)
    if abs(number - near) != abs(other - number):
        return near
    exact, middle = Fraction(text), Fraction(number)
    if exact == middle:
        return near
    return max(near, other) if exact > middle else min(near, other)


def _beside(near: float, towards: float) -> float:
    """The next single precision number after `near`, in the direction of `towards`."""
    (bits,) = struct.unpack("i", struct.pack("f", abs(near)))
    away = abs(towards) > abs(near)
    (found,) = struct.unpack("f", struct.pack("i", bits + (1 if away else -1)))
    return math.copysign(found, towards)


def _integer(column: ColumnKind, text: str) -> str | None:
    text = text.strip()
    if not _INTEGER.fullmatch(text) or int(text) not in _RANGES[column.type]:
        return None
    return str(int(text))


def _numeric(text: str) -> str | None:
    text = text.strip()
    if text.lower() in _SPECIAL:
        return _SPECIAL[text.lower()]
    if not _NUMBER.fullmatch(text):
        return None
    plain = format(Decimal(text), "f").removeprefix("+")
    whole, _, fraction = plain.lstrip("-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    if max(len(whole), len(fraction)) > _MOST_DIGITS:
        return None
    digits = f"{whole}.{fraction}" if fraction else whole
    return f"-{digits}" if plain.startswith("-") and digits != "0" else digits


def _floating(text: str, *, single_precision: bool) -> str | None:
    text = text.strip()
    if text.lower() in _SPECIAL:
        return _SPECIAL[text.lower()]
    if not _NUMBER.fullmatch(text):
        return None
    number = single(text) if single_precision else float(text)
    vanished = number == 0 and any(digit in "123456789" for digit in text.lower().partition("e")[0])
    return None if math.isinf(number) or vanished else repr(number + 0.0)  # -0 is 0


def _uuid(text: str) -> str | None:
    digits = text.lower().removeprefix("{").removesuffix("}").replace("-", "")
    if not _UUID.fullmatch(digits):
        return None
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_READERS: Final[Mapping[Kind, Callable[[ColumnKind, str], str | None]]] = {
    Kind.TEXT: lambda _, text: text,
    Kind.PADDED: lambda _, text: text.rstrip(" "),
    Kind.INTEGER: _integer,
    Kind.NUMERIC: lambda _, text: _numeric(text),
    Kind.REAL: lambda _, text: _floating(text, single_precision=True),
    Kind.DOUBLE: lambda _, text: _floating(text, single_precision=False),
    Kind.BOOLEAN: lambda _, text: _BOOLEANS.get(text.lower()),
    Kind.UUID: lambda _, text: _uuid(text),
    Kind.BYTES: lambda _, text: text.lower() if _BYTES.fullmatch(text) else None,
    Kind.DATE: lambda _, text: date_text(text),
    Kind.TIMESTAMP: lambda _, text: timestamp_text(text, zoned=False),
    Kind.TIMESTAMPTZ: lambda _, text: timestamp_text(text, zoned=True),
    Kind.TIME: lambda _, text: time_text(text),
    Kind.ENUM: lambda column, text: text if text in column.labels else None,
}
