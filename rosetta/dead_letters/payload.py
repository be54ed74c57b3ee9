"""A parked piece of the stream, as sealed bytes.

Inside the seal: one line of JSON (the shape of what follows, see `Payload`), then COPY text, both together
compressed where that makes them shorter. The seal is bound to pipeline and destination, so that a payload moved to
another destination's row does not open.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Final

import orjson

from rosetta.errors import SecretError
from rosetta.secrets import Keyring

_PLAIN: Final = b"0"
_DEFLATED: Final = b"1"
_WORTH_COMPRESSING_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Payload:
    """Changes of one table that share a shape, or the news that the table was emptied.

    Attributes:
        columns: the table's columns in the order of `data`.
        key: columns that identify a row; empty for a table without a key.
        data: COPY text; each line starts with the meta columns (`rosetta.dead_letters.rows`).
        row_count: lines in `data`.
        flags: names of what is so of the lines: `folded`, `has_deletes`, `has_unchanged`, `has_moved`.
        truncate: the table was emptied; there are no lines then.
        types: of each column, as the stream named it; empty: not known.
        rules: fingerprint of the table sync's rules that have made the lines; None: they are as the source sent them.
    """

    columns: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    data: bytes = b""
    row_count: int = 0
    flags: frozenset[str] = frozenset()
    truncate: bool = False
    rules: str | None = None
    types: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is another one as soon as the table is."""
        return self.columns, self.types


def seal_payload(payload: Payload, keyring: Keyring, pipeline_id: int, destination_id: int) -> bytes:
    """`payload` as it is stored in `dlq_records.payload`."""
    header: dict[str, Any] = {
        "columns": payload.columns,
        "types": payload.types,
        "key": payload.key,
        "rows": payload.row_count,
        "flags": sorted(payload.flags),
        "truncate": payload.truncate,
        "rules": payload.rules,
    }
    plain = orjson.dumps(header) + b"\n" + payload.data
    form = _PLAIN
    if len(plain) >= _WORTH_COMPRESSING_BYTES:
        deflated = zlib.compress(plain, level=1)
        if len(deflated) < len(plain):
            plain, form = deflated, _DEFLATED
    return keyring.seal_bytes(form + plain, payload_binding(pipeline_id, destination_id))


def open_payload(sealed: bytes, keyring: Keyring, pipeline_id: int, destination_id: int) -> Payload:
    """The payload. Raises SecretError unless it was sealed for this pipeline and destination under a known key."""
    opened = keyring.open_bytes(sealed, payload_binding(pipeline_id, destination_id))
    form, body = opened[:1], opened[1:]
    if form == _DEFLATED:
        body = zlib.decompress(body)
    elif form != _PLAIN:
        raise SecretError("a parked payload has a form that this version does not know", code="PAYLOAD_FORM_UNKNOWN")
    head, _, data = body.partition(b"\n")
    header = orjson.loads(head)
    return Payload(
        columns=tuple(header["columns"]),
        types=tuple(header.get("types", ())),
        key=tuple(header["key"]),
        data=data,
        row_count=header["rows"],
        flags=frozenset(header["flags"]),
        truncate=header["truncate"],
        rules=header.get("rules"),
    )


def payload_binding(pipeline_id: int, destination_id: int) -> str:
    return f"dlq_records.payload of pipeline {pipeline_id} and destination:{destination_id}"
