"""What every dialect's merge statements depend on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from rosetta.identifiers import TableId

Column = TypeVar("Column")


@dataclass(frozen=True, slots=True)
class MergedTable(ABC, Generic[Column]):
    """A target and its staging table; equal ones give equal SQL.

    In every statement `t` is the target and `s` the staging table, whose columns are called C1, C2, ... (in PostgreSQL
    c1, c2, ...) in the order of the payload, so no name of a user can collide with one of ours or grow too long.

    Attributes:
        columns: of the payload, in its order.
        key: positions in `columns`.
        copy_name: suffix of the side tables that live while a copy runs.
    """

    target: TableId
    staging: str
    columns: tuple[Column, ...]
    key: tuple[int, ...]
    soft_delete: bool
    copy_name: str

    @property
    def tombstones(self) -> str:
        """Keys deleted while a copy runs: a chunk that was read before must not bring them back."""
        return self.side_table("tombstones")

    @property
    def unfilled(self) -> str:
        """Keys of rows that arrived without their unchanged TOAST values before a chunk brought them."""
        return self.side_table("unfilled")

    @abstractmethod
    def side_table(self, kind: str) -> str:
        """The name of a table of Rosetta's own that lives while a copy runs."""
