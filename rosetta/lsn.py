"""Positions in a source's write-ahead log.

`Lsn` is PostgreSQL's pg_lsn. `StreamPosition` orders every change of a replication stream, which an
LSN alone does not: transactions arrive in commit order, so the LSN of a change may be smaller than
that of a change before it.
"""

from __future__ import annotations

from dataclasses import dataclass


class Lsn(int):
    """A pg_lsn as an integer that prints as PostgreSQL writes it (`16/B374D848`)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Lsn:
        """Reads `X/Y`. Raises ValueError for anything else."""
        high, separator, low = text.partition("/")
        if not separator:
            raise ValueError(f"not an LSN: {text!r}")
        return cls((int(high, 16) << 32) | int(low, 16))

    def __str__(self) -> str:
        return f"{int(self) >> 32:X}/{int(self) & 0xFFFFFFFF:X}"

    __repr__ = __str__


_NONE = Lsn(0)


@dataclass(frozen=True, slots=True, order=True)
class StreamPosition:
    """A point between two changes of one slot's stream; comparing two tells which comes first.

    Attributes:
        commit_lsn: end LSN of the last transaction that lies wholly before this point. A slot may be
            advanced to it once everything before this point is durable.
        change_lsn: LSN of the last change before this point that belongs to the transaction after
            `commit_lsn`; 0 at a transaction boundary. Inside one transaction LSNs do not fall.
        ordinal: counts the changes that share `change_lsn` (the rows of one COPY do), from 0.
    """

    commit_lsn: Lsn
    change_lsn: Lsn = _NONE
    ordinal: int = 0

    @property
    def at_boundary(self) -> bool:
        """Whether no transaction is cut here."""
        return self.change_lsn == 0
