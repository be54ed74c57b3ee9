"""Snowflake under the contract: the destination against an emulated account, or a real one."""

from __future__ import annotations

from compute.destinations.base import TableTarget
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.session import Session
from compute.tests.contract.constraints import Constraint
from compute.tests.support.snowflake_account import SnowflakeAccount
from compute.tests.support.snowflake_double import SnowflakeDouble
from rosetta.dialects.snowflake.names import Naming, qualified, quoted

_OWN = {"_rosetta_xid": "_ROSETTA_TX"}


class SnowflakeLane:
    """Rows as text, as PostgreSQL would print them."""

    misfit = "VALUE_UNFIT"

    def __init__(self, account: SnowflakeDouble | SnowflakeAccount) -> None:
        self.endpoint = account.endpoint(account.new_database())
        self._writers: list[SnowflakeDestination] = []
        self._session: Session | None = None

    def writer(self, pipeline_id: int = 1) -> SnowflakeDestination:
        made = SnowflakeDestination(self.endpoint, pipeline_id, 1)
        self._writers.append(made)
        return made

    def rows(self, target: TableTarget, *columns: str) -> list[tuple[str | None, ...]]:
        naming = Naming()
        names = [_OWN.get(name, naming.name(name)) for name in columns or target.schema.column_names]
        table = qualified(naming.table(target.target))
        found = self.asked(f"SELECT {', '.join(map(quoted, names))} FROM {table}")
        shown = [tuple(_text(name, value) for name, value in zip(names, row, strict=True)) for row in found]
        return sorted(shown, key=lambda row: tuple((value is not None, value or "") for value in row))

    def asked(self, sql: str) -> list[tuple[object, ...]]:
        if self._session is None:
            self._session = Session(self.endpoint, "test")
            self._session.connect()
        return self._session.rows(sql, "looking")

    def constrain(self, constraint: Constraint) -> None:
        raise AssertionError("Snowflake checks no constraints")

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        if self._session is not None:
            self._session.close()


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if name == "_ROSETTA_UNCHANGED":
        return "{" + str(value).lower() + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)
