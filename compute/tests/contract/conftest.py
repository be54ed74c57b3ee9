"""The destinations that must pass the contract, each with a way to look into it."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from compute.destinations.base import Destination, TableTarget
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.destinations.memory_batch import Rule
from compute.destinations.memory_tables import Change, Row
from compute.destinations.postgres import PostgresDestination
from compute.tests.contract.constraints import Constraint
from compute.tests.contract.snowflake_lane import SnowflakeLane
from compute.tests.contract.streaming_lane import StreamingLane
from compute.tests.support.folder_destination import FolderDestination, load
from compute.tests.support.snowflake_account import SnowflakeAccount
from compute.tests.support.snowflake_double import SnowflakeDouble
from compute.tests.support.streaming_server import serving
from rosetta.dialects.postgres import qualified, quoted
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint


class Lane(Protocol):
    """One destination under test: writers onto it, and its rows as text.

    `misfit` is the code of a value that is none of its column's type.
    """

    misfit: str

    def writer(self, pipeline_id: int = 1) -> Destination: ...

    def rows(self, target: TableTarget, *columns: str) -> list[tuple[str | None, ...]]: ...

    def constrain(self, constraint: Constraint) -> None: ...


Writer = TypeVar("Writer", bound=Destination)


class PostgresLane:
    misfit = "PG_22P02"

    def __init__(self, cluster: PostgresCluster, database: str) -> None:
        self._cluster = cluster
        self._database = database
        self._writers: list[Destination] = []
        self._connection = cluster.connect(database)

    @property
    def endpoint(self) -> PostgresEndpoint:
        cluster = self._cluster
        return PostgresEndpoint(
            "127.0.0.1", cluster.port, self._database, cluster.superuser, cluster.password, "disable"
        )

    def writer(self, pipeline_id: int = 1) -> PostgresDestination:
        made = PostgresDestination(self.endpoint, pipeline_id, 1)
        self._writers.append(made)
        return made

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def rows(self, target: TableTarget, *columns: str) -> list[tuple[str | None, ...]]:
        names = ", ".join(f"{quoted(name)}::text" for name in columns or target.schema.column_names)
        found = self.query(f"SELECT {names} FROM {qualified(target.target)}")
        return sorted(found, key=lambda row: tuple((value is not None, value or "") for value in row))

    def constrain(self, constraint: Constraint) -> None:
        self.query(constraint.sql)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()
        self._connection.close()


@pytest.fixture
def postgres_lane(cluster: PostgresCluster, new_database: Callable[[], str]) -> Iterator[PostgresLane]:
    lane = PostgresLane(cluster, new_database())
    yield lane
    lane.close()


@pytest.fixture
def writer(postgres_lane: PostgresLane) -> Iterator[PostgresDestination]:
    """An open writer to PostgreSQL."""
    yield from _opened(postgres_lane.writer())


def _opened(writer: Writer) -> Iterator[Writer]:
    writer.open(1)
    yield writer
    writer.close()


class MemoryLane:
    misfit = "PG_22P02"

    def __init__(self) -> None:
        self.stores: defaultdict[int, MemoryStore] = defaultdict(MemoryStore)

    def writer(self, pipeline_id: int = 1) -> MemoryDestination:
        return MemoryDestination(self.stores[pipeline_id])

    def rows(self, target: TableTarget, *columns: str) -> list[tuple[str | None, ...]]:
        names = columns or target.schema.column_names
        (table,) = (store.tables[target.target] for store in self.stores.values() if target.target in store.tables)
        shown = [*map(_shown, (*table.rows.values(), *table.loose)), *map(_history, table.history.values())]
        found = [tuple(row[name] for name in names) for row in shown]
        return sorted(found, key=lambda row: tuple((value is not None, value or "") for value in row))

    def constrain(self, constraint: Constraint) -> None:
        for store in self.stores.values():
            store.rules.append(constraint.rule)


def _shown(row: Row) -> dict[str, str | None]:
    own = {"_rosetta_lsn": row.version[0], "_rosetta_seq": row.version[1], "_rosetta_xid": row.xid}
    return row.values | {name: str(item) for name, item in own.items()} | {"_rosetta_deleted": str(row.deleted).lower()}


def _history(entry: tuple[str, Change]) -> dict[str, str | None]:
    op, change = entry
    return change.values | {
        "_rosetta_op": op,
        "_rosetta_lsn": str(change.version[0]),
        "_rosetta_seq": str(change.version[1]),
        "_rosetta_unchanged": "{" + ",".join(sorted(change.unchanged)) + "}" if change.unchanged else None,
    }


@pytest.fixture
def memory_lane() -> MemoryLane:
    return MemoryLane()


class FolderLane(MemoryLane):
    """The toy of docs/ADD_A_DESTINATION.md: rows are read back from what it left on the disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._rules: defaultdict[int, list[Rule]] = defaultdict(list)

    def writer(self, pipeline_id: int = 1) -> FolderDestination:
        own = self._folder / str(pipeline_id)
        own.mkdir(exist_ok=True)
        return FolderDestination(own, self._rules[pipeline_id])

    def rows(self, target: TableTarget, *columns: str) -> list[tuple[str | None, ...]]:
        for own in self._folder.iterdir():
            self.stores[int(own.name)] = load(own / "tables")
        return super().rows(target, *columns)

    def constrain(self, constraint: Constraint) -> None:
        for rules in self._rules.values():
            rules.append(constraint.rule)


@pytest.fixture
def folder_lane(tmp_path: Path) -> FolderLane:
    (tmp_path / "lane").mkdir()
    return FolderLane(tmp_path / "lane")


# For what has many histories; the toy has the algorithm of the one in memory and a disk that makes it slow.
many_histories = pytest.mark.parametrize("lane", ["memory", "postgres"], indirect=True)


@pytest.fixture
def snowflake_lane(request: pytest.FixtureRequest) -> Iterator[SnowflakeLane]:
    """On the emulated account, or on the real one that ROSETTA_SNOWFLAKE_LIVE has, a destination's config as JSON."""
    real = os.environ.get("ROSETTA_SNOWFLAKE_LIVE")
    account = SnowflakeAccount(json.loads(real)) if real else request.getfixturevalue("snowflake")
    lane = SnowflakeLane(account)
    yield lane
    lane.close()
    if isinstance(account, SnowflakeAccount):
        account.stop()


@pytest.fixture
def streaming_lane(snowflake: SnowflakeDouble) -> Iterator[StreamingLane]:
    """Rows by streams into the emulated account."""
    endpoint = snowflake.endpoint("SIGNED")
    with serving(endpoint.key, endpoint.account, endpoint.user) as server:
        lane = StreamingLane(snowflake, server)
        yield lane
        lane.close()


# For what needs constraints at the target, which Snowflake does not check, or rows without a key, which it cannot tell
# apart.
LANES = ("memory", "folder", "postgres")
constrained = pytest.mark.parametrize("lane", LANES, indirect=True)
# An emulated statement costs as much as a whole test elsewhere: test_snowflake.py and test_landings.py have what runs
# always.
AT_ONCE = (*LANES, "snowflake") if os.environ.get("ROSETTA_SNOWFLAKE_CONTRACT") else LANES
EVERY_LANE = (*AT_ONCE, "streaming") if os.environ.get("ROSETTA_SNOWFLAKE_CONTRACT") else LANES
# For what a destination tells otherwise that accepts before it writes: what it refuses of a landing comes later, and
# rows of append mode are there at least once (ADR 17, ADR 22).
written_at_once = pytest.mark.parametrize("lane", AT_ONCE, indirect=True)


@pytest.fixture(params=EVERY_LANE)
def lane(request: pytest.FixtureRequest) -> Lane:
    made: Lane = request.getfixturevalue(f"{request.param}_lane")
    return made


@pytest.fixture
def destination(lane: Lane) -> Iterator[Destination]:
    """An open writer."""
    yield from _opened(lane.writer())
