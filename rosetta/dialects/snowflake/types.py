"""What a PostgreSQL type is in Snowflake: the one table of it, for DDL, loads and comparisons. SQL text.

Values travel as the text that the source printed and become typed in the statement that merges them. `Form` says what
is done to the text before that (see `compute.destinations.snowflake.values`). A value that the target's type has none
for (infinity, years beyond 9999, NaN in a NUMBER, 24:00:00) is NULL there, and its text is kept in `_ROSETTA_RAW`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rosetta.types import Column
from rosetta.types.widening import split_type

_MAX_PRECISION: Final = 38
_MAX_SCALE: Final = 37


class Form(StrEnum):
    """How the source's text becomes what the casts read."""

    PLAIN = "plain"  # as it is
    NUMBER = "number"  # NaN and the infinities are kept as raw text
    FLOAT = "float"
    MONEY = "money"  # as of lc_monetary = C
    BYTES = "bytes"  # hex without its prefix
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMP_TZ = "timestamp_tz"
    JSON = "json"  # numbers that a VARIANT cannot keep make it a text
    TEXT = "text"  # a text in a VARIANT
    ARRAY = "array"  # as JSON: of texts
    NUMBERS = "numbers"  # of numbers, and of texts where an element is none of JSON's
    BOOLEANS = "booleans"
    VECTOR = "vector"  # is JSON already
    HSTORE = "hstore"  # as JSON


@dataclass(frozen=True, slots=True)
class TypeOptions:
    """What a destination may choose.

    Attributes:
        numeric_scale: unbounded numerics are NUMBER(38, scale) instead of VARCHAR; more digits are then refused.
        local_time: timestamptz is TIMESTAMP_LTZ instead of TIMESTAMP_TZ.
    """

    numeric_scale: int | None = None
    local_time: bool = False


@dataclass(frozen=True, slots=True)
class SnowflakeType:
    """One column's type.

    Attributes:
        name: as in CREATE TABLE.
        form: what is done to the source's text first.
        ordered: values that PostgreSQL orders without a collation are in the same order here.
    """

    name: str
    form: Form = Form.PLAIN
    ordered: bool = True

    @property
    def family(self) -> str:
        return self.name.partition("(")[0]

    def cast(self, text: str) -> str:
        """The typed value of an expression of text; an error where the text is none."""
        return self._read(text, "")

    def attempt(self, text: str) -> str:
        """As `cast`, but NULL where the text is none."""
        return self._read(text, "TRY_")

    def _read(self, text: str, attempt: str) -> str:
        if self.family == "VARCHAR":
            return text
        if self.family == "BINARY":
            return f"{attempt}TO_BINARY({text}, 'HEX')"
        if self.family == "VARIANT":
            return f"TRY_PARSE_JSON({text})" if attempt else f"PARSE_JSON({text})"
        if self.family == "ARRAY":
            return f"CAST({attempt}PARSE_JSON({text}) AS ARRAY)"
        return f"{attempt}CAST({text} AS {self.name})"

    def text(self, value: str) -> str:
        """The source's text of a key's typed value, as PostgreSQL reads it."""
        if self.family == "VARCHAR":
            return value
        if self.family == "BINARY":
            return f"'\\\\x' || LOWER(HEX_ENCODE({value}))"
        return f"TO_VARCHAR({value})"


_NUMBER: Final = SnowflakeType("NUMBER(38,0)")
_TEXT: Final = SnowflakeType("VARCHAR")
_UNORDERED: Final = SnowflakeType("VARCHAR", ordered=False)
_BYTES: Final = SnowflakeType("BINARY", Form.BYTES)
_BOOLEAN: Final = SnowflakeType("BOOLEAN")
_FLOAT: Final = SnowflakeType("FLOAT", Form.FLOAT)
_JSON: Final = SnowflakeType("VARIANT", Form.JSON)
_TEXT_VARIANT: Final = SnowflakeType("VARIANT", Form.TEXT)
_ARRAY: Final = SnowflakeType("ARRAY", Form.ARRAY)

_ARRAYS: Final = {
    **{f"{name}[]": SnowflakeType("ARRAY", Form.NUMBERS) for name in ("smallint", "integer", "bigint", "oid")},
    **{f"{name}[]": SnowflakeType("ARRAY", Form.NUMBERS) for name in ("real", "double precision")},
    "boolean[]": SnowflakeType("ARRAY", Form.BOOLEANS),
}
# By name without limits; what is not here is its text.
TYPES: Final[dict[str, SnowflakeType]] = {
    "smallint": _NUMBER,
    "integer": _NUMBER,
    "bigint": _NUMBER,
    "oid": _NUMBER,
    "xid": _NUMBER,
    "xid8": _NUMBER,
    "real": _FLOAT,
    "double precision": _FLOAT,
    "money": SnowflakeType("NUMBER(38,2)", Form.MONEY),
    "boolean": _BOOLEAN,
    "bytea": _BYTES,
    "json": _JSON,
    "jsonb": _JSON,
    "uuid": SnowflakeType("VARCHAR(36)"),
    "date": SnowflakeType("DATE", Form.DATE),
    "time without time zone": SnowflakeType("TIME(6)", Form.TIME),
    "timestamp without time zone": SnowflakeType("TIMESTAMP_NTZ(6)", Form.TIMESTAMP),
    "timestamp with time zone": SnowflakeType("TIMESTAMP_TZ(6)", Form.TIMESTAMP_TZ),
    "point": _TEXT_VARIANT,
    "line": _TEXT_VARIANT,
    "lseg": _TEXT_VARIANT,
    "box": _TEXT_VARIANT,
    "path": _TEXT_VARIANT,
    "polygon": _TEXT_VARIANT,
    "circle": _TEXT_VARIANT,
    "text": _TEXT,
    "character varying": _TEXT,
    "character": _TEXT,
    "name": _TEXT,
}
# Types of extensions, by their own name, whatever schema they are in.
EXTENSION_TYPES: Final[dict[str, SnowflakeType]] = {
    "hstore": SnowflakeType("VARIANT", Form.HSTORE),
    "vector": SnowflakeType("ARRAY", Form.VECTOR),
}


def type_of(column: Column, options: TypeOptions = TypeOptions(), *, key: bool = False) -> SnowflakeType:
    """What a column is at the target.

    A column of the key is never of a type whose values do not compare as at the source: it is its text then.
    """
    found = _base(column, options)
    return _UNORDERED if key and found.family in {"VARIANT", "ARRAY", "FLOAT"} else found


def _base(column: Column, options: TypeOptions) -> SnowflakeType:
    name, kinds = column.type, {f"{one.schema}.{one.name}": one for one in column.user_types}
    while (known := kinds.get(split_type(name)[0].replace('"', ""))) is not None and known.kind == "domain":
        name = known.definition[0]
    if name.endswith("[]"):
        return _ARRAYS.get(name, _ARRAY)
    if known is not None:
        return EXTENSION_TYPES.get(known.name, _TEXT) if known.kind == "extension" else _TEXT
    bare, limits = split_type(name)
    if bare == "numeric":
        return _numeric(limits, options)
    if bare == "bit" and limits in {(), (1,)}:
        return _BOOLEAN
    if bare == "timestamp with time zone" and options.local_time:
        return SnowflakeType("TIMESTAMP_LTZ(6)", Form.TIMESTAMP_TZ)
    return TYPES.get(bare, _UNORDERED if "." not in bare else _TEXT)


def _numeric(limits: tuple[int, ...], options: TypeOptions) -> SnowflakeType:
    """Without limits, and beyond Snowflake's, a numeric is its text, unless the destination has chosen a scale."""
    precision, scale = (*limits, 0)[:2] if limits else (_MAX_PRECISION + 1, 0)
    digits, places = max(precision, scale) - min(scale, 0), max(scale, 0)
    if digits <= _MAX_PRECISION and places <= _MAX_SCALE:
        return SnowflakeType(f"NUMBER({digits},{places})", Form.NUMBER)
    if options.numeric_scale is not None:
        return SnowflakeType(f"NUMBER({_MAX_PRECISION},{options.numeric_scale})", Form.NUMBER)
    return _UNORDERED
