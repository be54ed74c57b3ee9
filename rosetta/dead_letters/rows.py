"""The changes in a payload one by one, for a person who looks at them or mends a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from rosetta.dead_letters.payload import Payload
from rosetta.dialects.postgres.copy_text import parse_lines
from rosetta.enums import DlqOperation
from rosetta.errors import ConfigurationError

# Names of the columns that lead every line; their types and meaning stand in compute/core/batch.py.
META_COLUMN_NAMES: Final = ("_op", "_lsn", "_seq", "_xid", "_ts", "_unchanged", "_from")
_OPERATIONS: Final = {"c": DlqOperation.INSERT, "u": DlqOperation.UPDATE, "d": DlqOperation.DELETE}
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change. `values` are in the text form of the source's types, None for NULL.

    Attributes:
        unchanged: columns whose value the source did not send, because it did not change; None in `values`.
        only_key: a delete by key: `values` has only the key's columns.
    """

    operation: DlqOperation
    lsn: int
    seq: int
    values: Mapping[str, str | None]
    unchanged: frozenset[str]
    only_key: bool


def read_rows(payload: Payload) -> list[ChangeRow]:
    """The payload's changes in stream order."""
    return [_row(payload, fields) for fields in parse_lines(payload.data)]


def edit_row(payload: Payload, index: int, values: Mapping[str, str | None]) -> Payload:
    """The payload with `values` in its change number `index` (from 0); columns that are not named stay.

    Raises ConfigurationError for a change that does not exist, a column that the payload does not have, a key
    column (the change would be another row's), or a delete, which has nothing but its key.
    """
    lines = payload.data.split(b"\n")[:-1]
    if not 0 <= index < len(lines):
        raise ConfigurationError(f"the record has {len(lines)} changes", code="CHANGE_NOT_FOUND")
    fields = lines[index].decode().split("\t")
    if fields[0] == "d":
        raise ConfigurationError("a delete holds nothing but its key", code="NOTHING_TO_EDIT")
    mask = list("" if fields[5] == "\\N" else fields[5])
    for name, value in values.items():
        if name not in payload.columns:
            raise ConfigurationError(f"the record has no column {name}", code="COLUMN_NOT_FOUND")
        if name in payload.key:
            raise ConfigurationError(f"{name} is part of the key and cannot be edited", code="KEY_NOT_EDITABLE")
        place = payload.columns.index(name)
        fields[len(META_COLUMN_NAMES) + place] = "\\N" if value is None else value.translate(_ESCAPED)
        if mask:
            mask[place] = "0"
    fields[5] = "".join(mask) if "1" in mask else "\\N"
    lines[index] = "\t".join(fields).encode()
    return replace(payload, data=b"\n".join([*lines, b""]), flags=_flags(payload, lines))


def _flags(payload: Payload, lines: list[bytes]) -> frozenset[str]:
    """An edit may have given the last value that was missing."""
    unchanged = any(line.split(b"\t", 6)[5] != b"\\N" for line in lines)
    return payload.flags if unchanged else payload.flags - {"has_unchanged"}


def _row(payload: Payload, fields: tuple[str | None, ...]) -> ChangeRow:
    operation, mask = _OPERATIONS[str(fields[0])], fields[5] or ""
    given = dict(zip(payload.columns, fields[len(META_COLUMN_NAMES) :], strict=True))
    only_key = operation is DlqOperation.DELETE and bool(payload.key)
    return ChangeRow(
        operation=operation,
        lsn=int(fields[1] or 0),
        seq=int(fields[2] or 0),
        values={name: given[name] for name in payload.key} if only_key else given,
        unchanged=frozenset(name for name, bit in zip(payload.columns, mask, strict=False) if bit == "1"),
        only_key=only_key,
    )
