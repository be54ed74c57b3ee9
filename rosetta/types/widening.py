"""Which target type may hold a source type without losing anything: a table of rules, nothing guessed."""

from __future__ import annotations

import re
from typing import Final

# An entry says: values of the type may be written, as text, into any of these.
WIDER: Final[dict[str, frozenset[str]]] = {
    "smallint": frozenset({"integer", "bigint", "numeric"}),
    "integer": frozenset({"bigint", "numeric"}),
    "bigint": frozenset({"numeric"}),
    "oid": frozenset({"bigint", "numeric"}),
    "real": frozenset({"double precision"}),
    "character varying": frozenset({"text"}),
    "character": frozenset({"text"}),
    "name": frozenset({"text"}),
    "uuid": frozenset({"text"}),
    "xml": frozenset({"text"}),
}
# Types whose limits may grow: `t(5)` fits `t(9)` and `t`.
_LIMITED: Final = frozenset(
    {
        "character varying",
        "bit varying",
        "timestamp without time zone",
        "timestamp with time zone",
        "time without time zone",
        "time with time zone",
        "interval",
    }
)
_PARTS: Final = re.compile(r"^(?P<head>[^()]*?)\((?P<limits>[\d,\s-]+)\)(?P<tail>.*)$")


def split_type(name: str) -> tuple[str, tuple[int, ...]]:
    """`format_type()` text as its name without limits, and the limits: `timestamp(3) with time zone` -> (..., (3,))."""
    match = _PARTS.match(name)
    if match is None:
        return name, ()
    limits = tuple(int(part) for part in match["limits"].split(","))
    return match["head"].strip() + match["tail"], limits


def holds(target: str, source: str, *, enum: bool = False) -> bool:
    """Whether a column of type `target` can hold every value of `source` exactly.

    `enum`: the source type is an enum, whose labels fit into text.
    """
    if target == source or (enum and target == "text"):
        return True
    target_name, target_limits = split_type(target)
    source_name, source_limits = split_type(source)
    if target_name in WIDER.get(source_name, frozenset()):
        return not target_limits
    return target_name == source_name and _limits_hold(source_name, target_limits, source_limits)


def _limits_hold(name: str, target: tuple[int, ...], source: tuple[int, ...]) -> bool:
    if not target:
        return name in _LIMITED or name == "numeric"
    if not source:
        return False
    if name == "numeric":
        return _digits(target) >= _digits(source) and _scale(target) >= _scale(source)
    return name in _LIMITED and target[0] >= source[0]


def _scale(limits: tuple[int, ...]) -> int:
    return limits[1] if len(limits) > 1 else 0


def _digits(limits: tuple[int, ...]) -> int:
    return limits[0] - _scale(limits)
