"""What the sessions of all transactional destinations have in common: a transaction ends whole, or is undone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rosetta.undoing import undone_on_error


class TargetSession(ABC):
    """A session that autocommits outside of `BEGIN` and `COMMIT`. Used by one thread.

    Raises only errors of `rosetta.errors`. After one that lost the connection only a new connection helps.
    """

    @abstractmethod
    def connect(self) -> None:
        """Signs in afresh. Raises OutageError or ConfigurationError."""

    @abstractmethod
    def close(self) -> None:
        """Gives the connection back; safe after an outage and safe to call twice."""

    @abstractmethod
    def run(self, sql: str, doing: str, /) -> int:
        """Runs a statement; returns the rows that it touched. `doing` is what an error says was being done."""

    @abstractmethod
    def rows(self, sql: str, doing: str, /) -> list[tuple[Any, ...]]:
        """Runs a query; returns all of its rows."""

    @abstractmethod
    def rollback(self) -> None:
        """Ends an open transaction; a session in which that fails is given up."""

    @contextmanager
    def transaction(self, doing: str) -> Iterator[None]:
        """Commits what runs inside; rolls back when it raises."""
        self.run("BEGIN", doing)
        with self.undone_on_error():
            yield
            self.run("COMMIT", doing)

    def undone_on_error(self) -> AbstractContextManager[None]:
        """Rolls the open transaction back when what runs inside raises, also an end of the process."""
        return undone_on_error(self.rollback)
