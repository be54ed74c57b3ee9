"""How the secrets of the config database are kept sealed (`rosetta.sealed` says which those are).

A secret is bound to its row, so the row's id must be known before it is sealed: `allocate_id` takes one
first, and the plaintext never reaches the database. Plaintext that a person wrote by SQL is sealed in
place by the first service that reads it (`seal_found_secrets`).
"""

from __future__ import annotations

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from rosetta.errors import ConfigurationError
from rosetta.logs import get_logger
from rosetta.sealed import config_binding, is_secret, source_binding
from rosetta.secrets import Keyring, is_sealed
from rosetta.tables import Destination, Source

_log = get_logger(__name__)


def allocate_id(session: Session, table: type[Source | Destination]) -> int:
    """The next id of `table`, so that a new row's secrets can be sealed before it is inserted."""
    sequence = func.pg_get_serial_sequence(literal(table.__tablename__), literal("id"))
    return int(session.execute(select(func.nextval(sequence))).scalar_one())


def seal_source(source: Source, keyring: Keyring) -> bool:
    """Seals the source's password in place; True when it was plaintext. Needs the row's id."""
    if not source.pg_password or is_sealed(source.pg_password):
        return False
    source.pg_password = keyring.seal(source.pg_password, source_binding(_known(source.id)))
    _log.info("secret_sealed", table="sources", row_id=source.id, field="pg_password")
    return True


def seal_destination(destination: Destination, keyring: Keyring) -> bool:
    """Seals the secrets of the destination's config in place; True when one was plaintext. Needs the row's id."""
    found = sorted(key for key, value in destination.config.items() if is_secret(key, value) and not is_sealed(value))
    if not found:
        return False
    row_id = _known(destination.id)
    sealed = {key: keyring.seal(destination.config[key], config_binding(row_id, key)) for key in found}
    # A new dictionary: SQLAlchemy does not see a change inside the old one.
    destination.config = {**destination.config, **sealed}
    for key in found:
        _log.info("secret_sealed", table="destinations", row_id=row_id, field=key)
    return True


def seal_found_secrets(session: Session, keyring: Keyring) -> int:
    """Seals every plaintext secret of all sources and destinations; returns how many rows it changed.

    Rows that need it are locked first, so that a password written at the same moment is not overwritten.
    The caller commits. From an AsyncSession: `await session.run_sync(seal_found_secrets, keyring)`.
    """
    plain_sources = [row.id for row in session.scalars(select(Source)) if _has_plaintext_password(row)]
    plain_destinations = [row.id for row in session.scalars(select(Destination)) if _has_plaintext_config(row)]
    locked = {"populate_existing": True}
    sources = session.scalars(
        select(Source).where(Source.id.in_(plain_sources)).order_by(Source.id).with_for_update(),
        execution_options=locked,
    ).all()
    destinations = session.scalars(
        select(Destination).where(Destination.id.in_(plain_destinations)).order_by(Destination.id).with_for_update(),
        execution_options=locked,
    ).all()
    changed = sum(seal_source(row, keyring) for row in sources)
    changed += sum(seal_destination(row, keyring) for row in destinations)
    session.flush()
    return changed


def reseal_secrets(session: Session, keyring: Keyring) -> int:
    """Seals under the current key what an earlier key sealed; returns how many rows it changed. The caller commits."""
    changed = 0
    for source in session.scalars(select(Source).order_by(Source.id).with_for_update()):
        known = source.pg_password or ""
        if is_sealed(known) and not keyring.is_current(known):
            bound_to = source_binding(source.id)
            source.pg_password = keyring.seal(keyring.open(known, bound_to), bound_to)
            changed += 1
    for destination in session.scalars(select(Destination).order_by(Destination.id).with_for_update()):
        renewed = {
            key: keyring.seal(keyring.open(value, bound_to), bound_to)
            for key, value in destination.config.items()
            if isinstance(value, str) and is_sealed(value) and not keyring.is_current(value)
            for bound_to in (config_binding(destination.id, key),)
        }
        if renewed:
            destination.config = {**destination.config, **renewed}
            changed += 1
    session.flush()
    return changed


def _has_plaintext_password(source: Source) -> bool:
    return bool(source.pg_password) and not is_sealed(source.pg_password or "")


def _has_plaintext_config(destination: Destination) -> bool:
    return any(is_secret(key, value) and not is_sealed(value) for key, value in destination.config.items())


def _known(row_id: int | None) -> int:
    if row_id is None:
        raise ConfigurationError("a secret is bound to its row: give the row an id before its secrets are sealed")
    return row_id
