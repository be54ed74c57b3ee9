"""A column's values as texts that source and target write alike, by what its type is in Snowflake. Pure SQL text.

A value that Snowflake's type has none for is NULL there, and its text is kept beside it: that text is compared then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rosetta.dialects.postgres.checksum import ComparedColumn, exact_text
from rosetta.dialects.postgres.text import quoted

_WHOLE_NUMBERS: Final = frozenset({"smallint", "integer", "bigint", "oid", "xid", "xid8"})
_INSTANTS: Final = {
    "TIMESTAMP_NTZ": "timestamp without time zone",
    "TIMESTAMP_TZ": "timestamp with time zone",
    "TIMESTAMP_LTZ": "timestamp with time zone",
}
# Floating point is compared between 2^-100 and 2^100, in steps of so many binary digits.
_EXPONENTS: Final = 100
_STEP: Final = 20
_TEXTS: Final = frozenset({"TEXT", "VARCHAR"})


@dataclass(frozen=True, slots=True)
class TargetValue:
    """A column at the target: its name in a row `t`, its type, and where texts are kept that it has no value for."""

    name: str
    family: str
    scale: int = 0
    raw: str | None = None


@dataclass(frozen=True, slots=True)
class PortableText:
    """What gives the text on either side; `source` None: it is what the source prints.

    `whole` False: the values cannot be written alike, and the texts only tell whether there is one.
    """

    source: str | None
    target: str
    whole: bool = True


def portable_text(column: ComparedColumn, limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """The texts of a source's column, `limits` those of its type, and of the target's."""
    if target.family in _TEXTS:
        return PortableText(column.sql, target.name)
    made = _SAID.get(target.family)
    if made is None or column.sql is not None:  # a masked value is a text: what it is elsewhere is the load's affair
        return _presence(column, target.name)
    return made(column, limits, target)


def _presence(column: ComparedColumn, name: str) -> PortableText:
    present = "CASE WHEN {} IS NOT NULL THEN '1' END"
    return PortableText(present.format(f"({exact_text(column)})"), present.format(name), whole=False)


def _or_raw(text: str, target: TargetValue) -> str:
    return text if target.raw is None else f"COALESCE({text}, {target.raw})"


def _number(column: ComparedColumn, limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """With as many decimals as the target prints."""
    said = _or_raw(f"CAST({target.name} AS VARCHAR)", target)
    if column.type in _WHOLE_NUMBERS or (column.type == "numeric" and limits[1:] == (target.scale,)):
        return PortableText(None, said)
    value = f"t.{quoted(column.name)}" if column.type == "money" else f"({exact_text(column)})"
    return PortableText(f"round({value}::numeric, {target.scale})::text", said)


def _boolean(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """A bit too."""
    said = f"CASE WHEN {target.name} THEN 't' WHEN NOT {target.name} THEN 'f' END"
    return PortableText(None if column.type == "boolean" else f"translate({exact_text(column)}, '10', 'tf')", said)


def _binary(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    return PortableText(f"encode(t.{quoted(column.name)}::bytea, 'hex')", f"LOWER(HEX_ENCODE({target.name}))")


def _date(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    return PortableText(column.sql, _or_raw(f"TO_VARCHAR({target.name}, 'YYYY-MM-DD')", target))


def _time(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """Microseconds since midnight; 24:00:00 as it is."""
    value = f"t.{quoted(column.name)}::time"
    mine = f"CASE WHEN {value} < '24:00:00' THEN {_microseconds(value)} ELSE {exact_text(column)} END"
    theirs = f"CAST(DATEDIFF(MICROSECOND, CAST('00:00:00' AS TIME), {target.name}) AS VARCHAR)"
    return PortableText(mine, _or_raw(theirs, target))


def _instant(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """Microseconds since 1970; what lies outside of the years 1 to 9999 as it is."""
    value = f"t.{quoted(column.name)}::{_INSTANTS[target.family]}"
    within = f"{value} >= '0001-01-01 00:00:00+00' AND {value} < '10000-01-01 00:00:00+00'"
    mine = f"CASE WHEN isfinite({value}) AND {within} THEN {_microseconds(value)} ELSE {exact_text(column)} END"
    return PortableText(mine, _or_raw(f"CAST(DATE_PART(EPOCH_MICROSECOND, {target.name}) AS VARCHAR)", target))


def _float(column: ComparedColumn, _limits: tuple[int, ...], target: TargetValue) -> PortableText:
    """Every bit of it between 2^-100 and 2^100, beyond only that it lies there; single precision as it prints."""
    mine = f"t.{quoted(column.name)}" if column.type == "double precision" else f"({exact_text(column)})"
    special = ("'NaN'::float8", "'Infinity'::float8")
    theirs = ("CAST('NaN' AS FLOAT)", "CAST('inf' AS FLOAT)")
    return PortableText(
        _bits(f"{mine}::float8", special, "({})::bigint::text"),
        _bits(target.name, theirs, "CAST(CAST({} AS NUMBER(38,0)) AS VARCHAR)"),
    )


def _bits(value: str, special: tuple[str, str], digits: str) -> str:
    """Multiplied by powers of two, and cut, which is exact, so that both sides come to the same whole numbers.

    A value of 2^e or more, and less than 2^(e + 20), has no more than 20 bits behind the point once it is multiplied
    by 2^(32 - e), and none of its 53 bits gets lost.
    """
    size, (not_a_number, infinity) = f"ABS({value})", special
    cases = [
        f"WHEN {value} IS NULL THEN NULL WHEN {value} = {not_a_number} THEN 'NaN' WHEN {value} = 0 THEN '0'",
        f"WHEN {size} = {infinity} THEN 'infinity' WHEN {size} < POWER(2, {-_EXPONENTS}) THEN 'tiny'",
    ]
    for exponent in range(-_EXPONENTS, _EXPONENTS, _STEP):
        scaled = f"{size} * POWER(2, {32 - exponent})"
        whole, rest = f"FLOOR({scaled})", f"({scaled} - FLOOR({scaled})) * POWER(2, {_STEP})"
        cases.append(
            f"WHEN {size} < POWER(2, {exponent + _STEP}) "
            f"THEN '{exponent}:' || {digits.format(whole)} || ':' || {digits.format(rest)}"
        )
    return f"CASE WHEN {value} < 0 THEN '-' ELSE '' END || CASE {' '.join(cases)} ELSE 'huge' END"


def _microseconds(value: str) -> str:
    return f"(extract(epoch FROM {value}) * 1000000)::bigint::text"


_SAID: Final[Mapping[str, Callable[[ComparedColumn, tuple[int, ...], TargetValue], PortableText]]] = {
    "NUMBER": _number,
    "BOOLEAN": _boolean,
    "BINARY": _binary,
    "DATE": _date,
    "FLOAT": _float,
    "TIME": _time,
    **dict.fromkeys(_INSTANTS, _instant),
}
