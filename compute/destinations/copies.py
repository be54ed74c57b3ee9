"""What the copies of all destinations have in common that keep side tables while one runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from compute.destinations.base import RangeCheck, Refusals, RowChunk, TableTarget
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, DataError

KEYS_AT_ONCE: Final = 500


def copy_not_started(target: TableTarget) -> ConfigurationError:
    return ConfigurationError(f"no copy of {target.target} was started", code="COPY_NOT_STARTED")


def copy_incomplete(target: TableTarget) -> DataError:
    return DataError(
        f"{target.target} has rows whose unchanged values no chunk brought",
        code="COPY_INCOMPLETE",
        remedy="Resync the table.",
    )


class TargetCopies(ABC):
    """What `Destination` promises of copies. In append mode a copy needs no notes: nothing is overwritten."""

    @abstractmethod
    def start(self, target: TableTarget) -> None:
        """See `Destination.start_copy`."""

    @abstractmethod
    def write_rows(self, chunk: RowChunk, refused: Refusals | None, /) -> int:
        """See `Destination.write_rows`."""

    @abstractmethod
    def matches(self, check: RangeCheck, /) -> bool:
        """See `Destination.matches`."""

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        """See `Destination.unfilled_keys`."""
        return self._unfilled(target) if _has_notes(target) and self._is_open(target) else []

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        """See `Destination.unconfirmed_keys`."""
        return self._unconfirmed(target, after) if _has_notes(target) else []

    def finish(self, target: TableTarget) -> None:
        """See `Destination.finish_copy`."""
        if target.mode is not SyncMode.CURRENT or not self._is_open(target):
            return
        if self.unfilled_keys(target):
            raise copy_incomplete(target)
        self._end(target)

    @abstractmethod
    def _is_open(self, target: TableTarget) -> bool:
        """Whether a copy was started, and not finished."""

    @abstractmethod
    def _unfilled(self, target: TableTarget) -> list[tuple[str, ...]]: ...

    @abstractmethod
    def _unconfirmed(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]: ...

    @abstractmethod
    def _end(self, target: TableTarget) -> None:
        """Forgets the notes of an open copy that nothing is missing of."""


def _has_notes(target: TableTarget) -> bool:
    return target.mode is SyncMode.CURRENT and bool(target.schema.key)
