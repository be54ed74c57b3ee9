"""Names in Snowflake: folded to upper case unless told otherwise, always quoted, never two for one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rosetta.errors import SchemaMismatchError
from rosetta.identifiers import TableId

OWN_SCHEMA: Final = "_ROSETTA"


@dataclass(frozen=True, slots=True)
class Naming:
    """How names of the source become names at the target; `preserve`: as they are."""

    preserve: bool = False

    def name(self, name: str) -> str:
        return name if self.preserve else name.upper()

    def table(self, table: TableId) -> TableId:
        return TableId(self.name(table.schema), self.name(table.name))

    def columns(self, names: Iterable[str]) -> dict[str, str]:
        """Target names by source name. Raises SchemaMismatchError where two of the source would be one."""
        made: dict[str, str] = {}
        taken: dict[str, str] = {}
        for name in names:
            folded = self.name(name)
            if folded in taken:
                raise SchemaMismatchError(
                    f"the columns {taken[folded]} and {name} would both be called {folded}",
                    code="NAMES_COLLIDE",
                    remedy="Set snowflake_preserve_names on the destination, or leave one of them out.",
                )
            taken[folded] = name
            made[name] = folded
        return made


def quoted(name: str) -> str:
    """An identifier in double quotes. Raises ValueError for a name that Snowflake cannot have."""
    if not name or "\0" in name or len(name) > 255:
        raise ValueError("an identifier has 1 to 255 characters, none of them NUL")
    return '"' + name.replace('"', '""') + '"'


def qualified(table: TableId) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def own(name: str) -> str:
    """A table of Rosetta's own, qualified."""
    return f"{quoted(OWN_SCHEMA)}.{quoted(name)}"


def literal(value: str | int | None) -> str:
    """A value as an SQL literal; backslashes are escapes in Snowflake's strings."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
