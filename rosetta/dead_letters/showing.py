"""What a parked record holds, opened for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import MAXYEAR

from rosetta.dead_letters.payload import Payload, open_payload
from rosetta.dead_letters.rows import ChangeRow, read_rows
from rosetta.dead_letters.search import OPEN
from rosetta.secrets import Keyring
from rosetta.tables import DlqRecord


@dataclass(frozen=True, slots=True)
class Contents:
    """The first changes of a record; none once it is closed, because its payload was forgotten with its end."""

    key: tuple[str, ...] = ()
    truncates: bool = False
    changes: Sequence[ChangeRow] = ()


def contents_of(record: DlqRecord, keyring: Keyring, limit: int) -> Contents:
    """At most `limit` changes. Raises SecretError when the payload cannot be opened with this keyring."""
    if record.state not in OPEN:
        return Contents()
    payload = open_payload(record.payload, keyring, record.pipeline_id, record.destination_id)
    return Contents(payload.key, payload.truncate, read_rows(_head(payload, limit)))


def waits_behind(record: DlqRecord) -> bool:
    """Whether an older parked change of the same row must go first."""
    # PostgreSQL's infinity, which drivers read as the last moment of the calendar, some without a time zone
    return record.next_attempt_at is not None and record.next_attempt_at.year == MAXYEAR


def _head(payload: Payload, limit: int) -> Payload:
    """The first lines only: a segment may have a hundred thousand."""
    end = 0
    for _ in range(limit):
        end = payload.data.find(b"\n", end) + 1
        if end == 0:
            return payload
    return replace(payload, data=payload.data[:end])
