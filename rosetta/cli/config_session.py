"""Transactions of the config database, for commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from rosetta.cli.target import config_database_url
from rosetta.database import sync_url, translated
from rosetta.enums import ActorKind
from rosetta.tables import AuditLog


@contextmanager
def config_session(doing: str) -> Iterator[Session]:
    """One transaction of the installation's config database, committed at the end of the block.

    Raises ConfigurationError when there is none, OutageError when it does not answer.
    """
    options = {"connect_timeout": 5, "application_name": "rosetta", "options": "-c TimeZone=UTC"}
    engine = create_engine(
        sync_url(config_database_url()), poolclass=NullPool, connect_args=options, hide_parameters=True
    )
    with translated(doing), Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


def audit(session: Session, action: str, entity_id: str, **details: Any) -> None:
    """Notes what a command did, in the transaction that does it. No secret, no row value."""
    session.add(
        AuditLog(
            actor_kind=ActorKind.COMMAND,
            actor_name="rosetta",
            action=action,
            entity_type=action.partition(".")[0],
            entity_id=entity_id,
            details=details,
        )
    )
