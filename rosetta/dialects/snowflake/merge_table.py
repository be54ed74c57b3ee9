"""A target, its staging table and its side tables, as the merge statements name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rosetta.dialects.merge_table import MergedTable
from rosetta.dialects.snowflake.names import literal, own, qualified, quoted
from rosetta.dialects.snowflake.tables import TargetColumn

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MergeTable(MergedTable[TargetColumn]):
    """As Snowflake writes it."""

    @property
    def name(self) -> str:
        return qualified(self.target)

    def side_table(self, kind: str) -> str:
        return own(f"{kind.upper()}_{self.copy_name}")

    @property
    def side_key(self) -> tuple[str, ...]:
        return tuple(f'"K{number}"' for number in range(1, len(self.key) + 1))

    def value(self, position: int) -> str:
        """The typed value of a staged column."""
        return self.columns[position].type.cast(f's."C{position + 1}"')

    def key_values(self) -> tuple[str, ...]:
        """The typed values of the staged key."""
        return tuple(self.value(position) for position in self.key)

    def base_key(self) -> tuple[str, ...]:
        """The typed key of the row that a staged change was made from."""
        return tuple(
            self.columns[position].type.cast(f'COALESCE(s."F{number}", s."C{position + 1}")')
            for number, position in enumerate(self.key, 1)
        )

    def names(self, positions: Sequence[int] | None = None) -> tuple[str, ...]:
        chosen = range(len(self.columns)) if positions is None else positions
        return tuple(quoted(self.columns[position].name) for position in chosen)

    def target_key(self, alias: str) -> tuple[str, ...]:
        return tuple(f"{alias}.{name}" for name in self.names(self.key))

    def aliased_key(self, alias: str) -> tuple[str, ...]:
        """The key's columns of a subquery that calls its columns C1, C2, ..."""
        return tuple(f'{alias}."C{position + 1}"' for position in self.key)


def equal(left: Sequence[str], right: Sequence[str]) -> str:
    return " AND ".join(f"{one} = {other}" for one, other in zip(left, right, strict=True))


def newer(left: tuple[str, str], right: tuple[str, str], *, or_equal: bool = False) -> str:
    """Whether version `left` (LSN, ordinal) is newer than `right`."""
    sign = ">=" if or_equal else ">"
    return f"({left[0]} > {right[0]} OR ({left[0]} = {right[0]} AND {left[1]} {sign} {right[1]}))"


def version(alias: str) -> tuple[str, str]:
    """A row's version."""
    return f'{alias}."_ROSETTA_LSN"', f'{alias}."_ROSETTA_SEQ"'


STAGED_VERSION: Final = ('s."_LSN"', 's."_SEQ"')


def loaded_at(stamp: int) -> str:
    """A stamp (microseconds since 1970, UTC) as the time that rows bear."""
    moment = _EPOCH + timedelta(microseconds=stamp)
    return f"CAST({literal(moment.strftime('%Y-%m-%d %H:%M:%S.%f+00:00'))} AS TIMESTAMP_TZ(6))"


def visible(xid: str, snapshot: str) -> str:
    """Whether transaction `xid`, an expression, had committed for a text of pg_current_snapshot()."""
    low, high, running = snapshot.split(":")
    open_then = f" AND {xid} NOT IN ({', '.join(str(int(one)) for one in running.split(','))})" if running else ""
    return f"({xid} < {int(low)} OR ({xid} < {int(high)}{open_then}))"
