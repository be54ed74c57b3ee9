"""Secrets that people wrote as plaintext by SQL: sealed in place by the supervisor, before anybody uses them."""

from __future__ import annotations

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from compute.core.catalog import Catalog
from rosetta.database import translated
from rosetta.errors import ConfigurationError
from rosetta.logs import get_logger
from rosetta.sealing import seal_found_secrets

_log = get_logger("compute.plaintext")


class PlaintextSecrets:
    """One session of its own; used by one thread. The only use that compute makes of the tables' mapping."""

    def __init__(self, catalog: Catalog) -> None:
        self._keyring = catalog.keyring
        self._engine = create_engine(
            "postgresql+psycopg2://",
            creator=catalog.database.connect,
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    def seal(self) -> None:
        """Seals whatever is found; raises OutageError while the config database is away.

        A row that makes no sense must not keep the others from running, so it is logged and left for the
        pipelines that use it to complain about.
        """
        try:
            with translated("sealing secrets"), Session(self._engine) as session, session.begin():
                sealed = seal_found_secrets(session, self._keyring)
        except (ConfigurationError, ValueError) as error:
            _log.warning("secrets_not_sealed", error_class=type(error).__name__)
            return
        if sealed:
            _log.info("plaintext_secrets_sealed", rows=sealed)

    def close(self) -> None:
        self._engine.dispose()
