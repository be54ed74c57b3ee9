"""What the progress rows of all transactional destinations have in common: position and fence of one pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from compute.destinations.target_session import TargetSession
from rosetta.errors import FencedError
from rosetta.lsn import StreamPosition


@dataclass
class FencedProgress(ABC):
    """Reads and moves the position; every transaction that writes begins with `begin` and ends with `commit`."""

    session: TargetSession
    pipeline_id: int
    destination_id: int
    epoch: int = -1

    @abstractmethod
    def take_fence(self, epoch: int) -> None:
        """Refuses every writer with a smaller epoch from now on. Raises FencedError when this one is smaller."""

    @abstractmethod
    def begin(self) -> StreamPosition | None:
        """Opens a transaction; returns the durable position. Raises FencedError when a newer writer was here."""

    @abstractmethod
    def commit(self, position: StreamPosition | None) -> None:
        """Commits, and with it the position. An error here may hide a commit: the next `begin` tells."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what runs inside and leaves the position; rolls back when it raises. Raises as `begin` does."""
        self.begin()
        with self.session.undone_on_error():
            yield
            self.commit(None)

    def fenced(self) -> FencedError:
        """What a writer hears that another one has taken the fence from."""
        return FencedError(
            f"another writer has taken over pipeline {self.pipeline_id} at destination {self.destination_id} "
            f"since epoch {self.epoch}"
        )
