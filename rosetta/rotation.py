"""Moves everything that is sealed from previous keys to the current one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import create_engine, select, update
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from rosetta.database import sync_url
from rosetta.dead_letters import payload_binding
from rosetta.key_use import waiting_records
from rosetta.sealing import reseal_secrets
from rosetta.secrets import Keyring
from rosetta.tables import DlqRecord

_PAGE_ROWS: Final = 500
# How the audit log calls a rotation that ended; of the key that everything is sealed under then.
ROTATED: Final = "encryption_key.rotate"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was sealed anew.

    Attributes:
        secrets: rows of sources and destinations.
        payloads: parked pieces of the stream.
        waiting: open records whose keys were hashed under a previous key; it must stay among the previous ones until
            they are recovered or discarded.
    """

    secrets: int
    payloads: int
    waiting: int


def rotate(database_url: str, keyring: Keyring) -> Rotation:
    """Seals everything under the keyring's current key; may be repeated and may be interrupted.

    The services may run meanwhile, as long as they know both keys. Raises SecretError for what no key opens, and
    then nothing of that page is changed.
    """
    engine = create_engine(sync_url(database_url), poolclass=NullPool)
    try:
        with Session(engine) as session, session.begin():
            secrets = reseal_secrets(session, keyring)
        payloads, last = 0, 0
        while True:
            with Session(engine) as session, session.begin():
                page = _payload_page(session, last)
                payloads += sum(_reseal(session, record, keyring) for record in page)
                last = page[-1].id if page else last
            if not page:
                break
        with Session(engine) as session, session.begin():
            waiting = waiting_records(session, keyring)
    finally:
        engine.dispose()
    return Rotation(secrets, payloads, waiting)


def _payload_page(session: Session, last: int) -> list[DlqRecord]:
    found = session.scalars(
        select(DlqRecord)
        .where(DlqRecord.id > last, DlqRecord.payload != b"")
        .order_by(DlqRecord.id)
        .limit(_PAGE_ROWS)
        .with_for_update()
    )
    return list(found)


def _reseal(session: Session, record: DlqRecord, keyring: Keyring) -> int:
    if keyring.is_current_bytes(record.payload):
        return 0
    bound_to = payload_binding(record.pipeline_id, record.destination_id)
    sealed = keyring.seal_bytes(keyring.open_bytes(record.payload, bound_to), bound_to)
    session.execute(update(DlqRecord).where(DlqRecord.id == record.id).values(payload=sealed))
    return 1
