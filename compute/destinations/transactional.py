"""A destination of one session, in whose transactions rows and progress commit together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from compute.destinations.base import (
    Capabilities,
    NothingPutOff,
    RangeCheck,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.copies import TargetCopies
from compute.destinations.target_session import TargetSession
from rosetta.errors import ConfigurationError, DataError
from rosetta.undoing import undone_on_error


class BatchWriter(Protocol):
    def write(self, batch: WriteBatch, refused: Refusals, /) -> WriteResult:
        """See `Destination.write_changes`."""


class TransactionalDestination(NothingPutOff, ABC):
    """What such destinations do alike; the contract is `Destination`'s."""

    capabilities: Capabilities

    def __init__(self, session: TargetSession, changes: BatchWriter, copies: TargetCopies) -> None:
        self._session = session
        self._changes = changes
        self._copies = copies

    def open(self, epoch: int) -> None:
        self._session.connect()
        with undone_on_error(self.close):
            try:
                self._create_own_tables()
            except DataError as error:
                raise ConfigurationError(error.message, code=error.code, remedy=self._own_tables_grant()) from None
            self._take_over(epoch)

    @abstractmethod
    def _create_own_tables(self) -> None:
        """Makes those of Rosetta's own tables that are not there. Raises DataError where that is not allowed."""

    @abstractmethod
    def _own_tables_grant(self) -> str:
        """What a person runs so that they can be made."""

    @abstractmethod
    def _take_over(self, epoch: int) -> None:
        """Takes the fence, and whatever else a writer begins with."""

    def close(self) -> None:
        self._session.close()

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        return self._changes.write(batch, refused)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        return self._copies.write_rows(chunk, refused)

    def matches(self, check: RangeCheck, /) -> bool:
        return self._copies.matches(check)

    def start_copy(self, target: TableTarget) -> None:
        self._copies.start(target)

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        return self._copies.unfilled_keys(target)

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        return self._copies.unconfirmed_keys(target, after)

    def finish_copy(self, target: TableTarget) -> None:
        self._copies.finish(target)
