"""Every type goes to a PostgreSQL target exactly: by chunk, insert, update, as an unchanged value, and as key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compute.destinations.base import RowChunk, TableTarget
from compute.tests.integration.type_bench import Bench, type_bench
from compute.tests.integration.type_cases import CASES, POSTGIS, TypeCase
from rosetta.dialects.postgres import qualified
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster

pytestmark = pytest.mark.integration
REPORT = Path(__file__).parents[3] / ".reports" / "types.json"
MIN_TYPES = 45


@dataclass
class Outcome:
    tried: set[str] = field(default_factory=set)
    exact: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    made = Outcome()
    yield made
    if len(made.tried) < len(CASES):  # a selection was run: no figure
        return
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report | {"postgres": {"exact": len(made.exact), "of": len(CASES)}}))


@pytest.fixture(scope="module")
def bench(cluster: PostgresCluster) -> Iterator[Bench]:
    with type_bench(cluster, "types") as made:
        yield made


@pytest.fixture(scope="module")
def bench_15(cluster_15: PostgresCluster) -> Iterator[Bench]:
    with type_bench(cluster_15, "types", "CREATE EXTENSION postgis") as made:
        yield made


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_type_round_trips(bench: Bench, outcome: Outcome, case: TypeCase) -> None:
    outcome.tried.add(case.name)
    round_trip(bench, case, CASES.index(case))
    outcome.exact.add(case.name)


@pytest.mark.parametrize("case", POSTGIS, ids=[case.name for case in POSTGIS])
def test_type_of_another_build_round_trips(bench_15: Bench, case: TypeCase) -> None:
    round_trip(bench_15, case, POSTGIS.index(case))


def round_trip(bench: Bench, case: TypeCase, number: int) -> None:
    schema = bench.fill(case, TableId("public", f"t{number}"))
    for way in ("chunk", "insert", "update", "unchanged"):
        target = TableTarget(
            number * 10 + len(way), schema, TableId("copied", f"t{number}_{way}"), copying=way == "chunk"
        )
        bench.writer.ensure_table(target)
        send(bench, target, way)
        bench.assert_same(case, target, "id")
    if case.key:
        as_key(bench, case, number)


def test_enough_types_are_in_the_table() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= MIN_TYPES


def send(bench: Bench, target: TableTarget, way: str) -> None:
    source = qualified(target.source)
    if way == "chunk":
        data = bench.read(f"SELECT id, v FROM {source}")
        bench.writer.start_copy(target)
        chunk = RowChunk(target, ("id", "v"), data, data.count(b"\n"), "10:10:", None, ("1000000",))
        bench.writer.write_rows(chunk)
        bench.writer.write_rows(chunk)
        bench.writer.finish_copy(target)
        return
    meta = "SELECT {op}, {lsn}, id, 9, 1700000000000000, {mask}, NULL, id, {value} FROM " + source
    if way == "update":
        bench.write(target, bench.read(f"SELECT 'c', 1, id, 9, 0, NULL, NULL, id, {other_value(target)} FROM {source}"))
        bench.write(target, bench.read(meta.format(op="'u'", lsn=2, mask="NULL", value="v")))
        return
    bench.write(target, bench.read(meta.format(op="'c'", lsn=1, mask="NULL", value="v")))
    if way == "unchanged":
        bench.write(target, bench.read(meta.format(op="'u'", lsn=2, mask="B'01'", value="NULL")), unchanged=True)


def other_value(target: TableTarget) -> str:
    """Some value of the column, not the row's own."""
    return f"(SELECT v FROM {qualified(target.source)} ORDER BY id LIMIT 1)"


def as_key(bench: Bench, case: TypeCase, number: int) -> None:
    """The values as primary keys: inserted, half of them deleted again, the rest read once more as chunks."""
    table = TableId("public", f"k{number}")
    target = TableTarget(5000 + number, bench.fill_keys(case, table), TableId("copied", table.name), copying=True)
    bench.writer.ensure_table(target)
    bench.writer.start_copy(target)
    line = "SELECT {op}, {lsn}, n, 9, 0, NULL, {old}, v, {n} FROM " + qualified(table)
    bench.write(target, bench.read(line.format(op="'c'", lsn=1, old="NULL", n="n")))
    bench.assert_same(case, target, "n")
    bench.write(
        target, bench.read(line.format(op="'d'", lsn=2, old="NULL", n="NULL") + " WHERE n % 2 = 0"), deletes=True
    )
    bench.assert_same(case, target, "n", "n % 2 = 1")
    # A chunk above the smallest key up to the greatest brings back all but, perhaps, the smallest.
    placed = f"(SELECT v, n, row_number() OVER (ORDER BY v) AS place FROM {qualified(table)}) AS placed"
    keys = bench.column(f"SELECT v::text FROM {placed} ORDER BY place")
    data = bench.read(f"SELECT v, n FROM {placed} WHERE place > 1")
    bench.writer.write_rows(RowChunk(target, ("v", "n"), data, len(keys) - 1, "10:10:", (keys[0],), (keys[-1],)))
    bench.assert_same(case, target, "n", f"n % 2 = 1 OR n <> (SELECT n FROM {placed} WHERE place = 1)")
