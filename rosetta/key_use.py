"""Under which keys what the config database keeps is sealed; nothing of it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Select, func, select, true, union_all
from sqlalchemy.orm import Session

from rosetta.dead_letters.search import OPEN
from rosetta.secrets import BYTES_KEY_ID, KEY_ID_BYTES, SEALED_PATTERN, Keyring
from rosetta.tables import Destination, DlqRecord, Source


@dataclass(frozen=True, slots=True)
class Sealed:
    """How much is sealed under the current key, under previous ones, and under keys that are not known."""

    current: int
    previous: int
    unknown: int

    @classmethod
    def of(cls, counts: Mapping[str, int], keyring: Keyring) -> Self:
        """From how much each key id stands before."""
        current = counts.get(keyring.key_id, 0)
        previous = sum(counts.get(key_id, 0) for key_id in keyring.previous_key_ids)
        return cls(current, previous, sum(counts.values()) - current - previous)


@dataclass(frozen=True, slots=True)
class KeyUse:
    """What is sealed.

    Attributes:
        secrets: of sources and destinations; one row may have several.
        payloads: records of the dead letter queue that hold one.
        waiting: open records whose keys were hashed under a previous key; it must stay known until they are
            recovered or discarded.
    """

    secrets: Sealed
    payloads: Sealed
    waiting: int


def key_use(session: Session, keyring: Keyring) -> KeyUse:
    """How much is sealed under which key, counted by the database, which reads all of it."""
    secrets = Sealed.of(_counted(session, _secrets()), keyring)
    payloads = Sealed.of(_counted(session, _payloads()), keyring)
    return KeyUse(secrets, payloads, waiting_records(session, keyring))


def waiting_records(session: Session, keyring: Keyring) -> int:
    """See `KeyUse.waiting`."""
    digests = func.unnest(DlqRecord.key_hashes).table_valued("digest").render_derived()
    made_by = func.encode(func.substring(digests.c.digest, 1, KEY_ID_BYTES), "hex")
    has_former = select(1).select_from(digests).where(made_by != keyring.key_id).exists()
    return session.scalar(select(func.count(DlqRecord.id)).where(DlqRecord.state.in_(OPEN), has_former)) or 0


def _counted(session: Session, key_ids: Select[tuple[str]]) -> dict[str, int]:
    """How often each of the key ids comes."""
    found = key_ids.subquery()
    return {
        row.key_id: row.times
        for row in session.execute(select(found.c.key_id, func.count().label("times")).group_by(found.c.key_id))
    }


def _secrets() -> Select[tuple[str]]:
    pair = func.jsonb_each_text(Destination.config).table_valued("key", "value")
    texts = union_all(
        select(Source.pg_password.label("text")),
        select(pair.c.value).select_from(Destination).join(pair, true()),
    ).subquery()
    return select(func.split_part(texts.c.text, ":", 2).label("key_id")).where(
        texts.c.text.regexp_match(f"^{SEALED_PATTERN}$")
    )


def _payloads() -> Select[tuple[str]]:
    start = BYTES_KEY_ID.start + 1
    key_id = func.encode(func.substring(DlqRecord.payload, start, KEY_ID_BYTES), "hex")
    return select(key_id.label("key_id")).where(DlqRecord.payload != b"")
