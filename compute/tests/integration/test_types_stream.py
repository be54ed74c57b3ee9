"""The same types on the real way: slot, either engine, destination."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.core.batch import TableSpec
from compute.destinations.base import TableTarget, TableWrite, WriteBatch
from compute.engine.base import EngineSource
from compute.tests.integration.debezium.host import EngineHost, Start
from compute.tests.integration.type_bench import Bench, type_bench
from compute.tests.integration.type_cases import CASES, TypeCase
from compute.tests.support.waiting import eventually
from rosetta.dialects.postgres import qualified
from rosetta.enums import EngineKind
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition

pytestmark = pytest.mark.integration
PATIENCE_SECONDS = 60.0


class Pipe:
    """Everything that the source writes, up to a mark, goes through the engine into the target."""

    def __init__(self, bench: Bench, host: EngineHost) -> None:
        self.bench, self.host = bench, host
        self.targets: dict[TableId, TableTarget] = {}
        (lsn,) = bench.column("SELECT lsn::text FROM pg_create_logical_replication_slot('types_stream', 'pgoutput')")
        self.start = StreamPosition(Lsn.parse(lsn))
        self.number = host.new_number()
        self.marks = 0

    def add(self, sync_id: int, table: TableId) -> TableTarget:
        target = TableTarget(sync_id, self.bench.schema(table), TableId("streamed", table.name))
        self.bench.writer.ensure_table(target)
        self.targets[table] = target
        return target

    def open(self, engine: EngineKind) -> None:
        source = EngineSource(self.bench.source_endpoint, "everything", "types_stream")
        specs = {table: TableSpec(table, target.schema.key) for table, target in self.targets.items()}
        self.host.call("start", self.number, Start(source, self.start, specs, engine=engine))

    def flow(self) -> None:
        self.marks += 1
        mark = f"types {self.marks}"
        self.bench.column(f"SELECT pg_logical_emit_message(true, 'rosetta', '{mark}')")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            batch = self.host.call("take", self.number, 1.0)
            if batch is None:
                continue
            writes = tuple(TableWrite(self.targets[changes.table], changes) for changes in batch.tables)
            result = self.bench.writer.write_changes(WriteBatch(batch.end, (), writes))
            assert result.refusal.tables == {}
            self.host.call("acknowledge", self.number, batch.sequence)
            if mark in batch.watermarks:
                return
        raise AssertionError(f"{mark} did not come")


@pytest.fixture(scope="module", params=list(EngineKind))
def pipe(
    cluster: PostgresCluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Pipe]:
    """Tables of all types, empty, streamed from their first row on."""
    folder: Path = tmp_path_factory.mktemp("types")
    with type_bench(cluster, "types_stream") as bench:
        host = EngineHost(str(folder))
        bench.run("CREATE PUBLICATION everything FOR ALL TABLES")
        made = Pipe(bench, host)
        for number, case in enumerate(CASES):
            made.add(number, bench.fill(case, TableId("public", f"t{number}")).table)
            if case.key:
                made.add(1000 + number, bench.fill_keys(case, TableId("public", f"k{number}")).table)
        made.open(request.param)
        yield made
        host.call("stop", made.number)
        host.close()
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'types_stream'"
        eventually(lambda: bench.column(active) == ["False"], what="the slot is free")
        bench.column("SELECT pg_drop_replication_slot('types_stream')")


def assert_same(pipe: Pipe, case: TypeCase) -> None:
    number = CASES.index(case)
    for name, key in ((f"t{number}", "id"), (f"k{number}", "n")):
        target = pipe.targets.get(TableId("public", name))
        if target is not None:
            pipe.bench.assert_same(case, target, key)


def both(number: int, case: TypeCase) -> Iterator[tuple[str, str]]:
    yield qualified(TableId("public", f"t{number}")), "id"
    if case.key:
        yield qualified(TableId("public", f"k{number}")), "n"


def test_inserted_values_are_exact(pipe: Pipe) -> None:
    pipe.flow()
    for case in CASES:
        assert_same(pipe, case)


def test_updated_values_and_keys_are_exact(pipe: Pipe) -> None:
    """Every row takes the value of the row before it; keys move to other rows; then half of the rows go."""
    for number, case in enumerate(CASES):
        values, keys = (qualified(TableId("public", f"{kind}{number}")) for kind in "tk")
        pipe.bench.run(
            f"UPDATE {values} t SET v = o.v FROM {values} o WHERE o.id = (t.id + 1) % (SELECT count(*) FROM {values})"
        )
        if case.key:
            pipe.bench.run(f"UPDATE {keys} SET n = n + 100")
    pipe.flow()
    for case in CASES:
        assert_same(pipe, case)
    for number, case in enumerate(CASES):
        for table, key in both(number, case):
            pipe.bench.run(f"DELETE FROM {table} WHERE {key} % 2 = 0")
    pipe.flow()
    for case in CASES:
        assert_same(pipe, case)
