"""Positions as offset tokens: text that sorts as the positions do, so that the server's last one says how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rosetta.errors import ResyncRequiredError
from rosetta.lsn import Lsn, StreamPosition

_LAST_PIECE: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, order=True)
class RowsToken:
    """What stands behind rows of a table: the end of their batch, and which piece of it they are.

    A batch that was cut for its size is there whole only with its last piece.
    """

    position: StreamPosition
    piece: int = _LAST_PIECE

    @property
    def whole(self) -> bool:
        return self.piece == _LAST_PIECE

    def __str__(self) -> str:
        return f"{_position_text(self.position)}.{self.piece:08X}"

    @classmethod
    def parse(cls, text: str) -> RowsToken:
        """Raises ResyncRequiredError for a token that is none of ours."""
        *position, piece = _numbers(text, 4)
        return cls(_position(position), piece)


@dataclass(frozen=True, slots=True, order=True)
class ProgressToken:
    """What stands behind a row of progress: who wrote it, and how far all tables were."""

    epoch: int
    position: StreamPosition

    def __str__(self) -> str:
        return f"{self.epoch:016X}.{_position_text(self.position)}"

    @classmethod
    def parse(cls, text: str) -> ProgressToken:
        """Raises ResyncRequiredError for a token that is none of ours."""
        epoch, *position = _numbers(text, 4)
        return cls(epoch, _position(position))


def _position_text(position: StreamPosition) -> str:
    # through int: an Lsn prints itself as PostgreSQL writes it
    return f"{int(position.commit_lsn):016X}.{int(position.change_lsn):016X}.{position.ordinal:016X}"


def _position(numbers: list[int]) -> StreamPosition:
    commit, change, ordinal = numbers
    return StreamPosition(Lsn(commit), Lsn(change), ordinal)


def _numbers(text: str, count: int) -> list[int]:
    parts = text.split(".")
    try:
        numbers = [int(part, 16) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise ResyncRequiredError(
            "the channel's offset token was not written by Rosetta",
            code="FOREIGN_OFFSET_TOKEN",
            remedy="Somebody else writes through this channel; drop it, then resynchronize the table.",
        )
    return numbers
