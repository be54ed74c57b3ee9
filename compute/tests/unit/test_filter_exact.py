"""filter_exact: whatever happens to a table, a target that is fed through a filter has the rows that SQL chooses.

A source of rows is changed at random, its changes are cut into batches as an engine gives them (folded or not, with
values that were too large to be sent, with keys that change), and applied to a destination in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.core.batch import TableChanges
from compute.destinations.base import TableTarget, TableWrite, WriteBatch
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.changes import Written, payload
from compute.transforms import RowRules
from rosetta.enums import SyncMode
from rosetta.filters import check_filters
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.table_rules import MaskingKey, TableRules
from rosetta.tests.filters.duckdb_sql import duckdb_bound
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "t")
SCHEMA = TableSchema(
    TABLE, (Column("id", "bigint"), Column("n", "integer"), Column("body", "text")), ("id",), primary_key=("id",)
)
SQL = duckdb.connect()
FILTERS = (
    ["n > 1"],
    ["n IS NULL"],
    ["body LIKE 'b%'"],
    ["n <> 2", "body IN ('b', 'b''x', 'b\ty')"],
    ["body IS NOT NULL", "id BETWEEN 1 AND 3"],
)
Row = tuple[str | None, ...]

keys = st.sampled_from("1234")
numbers = st.sampled_from([None, "0", "1", "2", "3"])
bodies = st.sampled_from([None, "a", "b", "b'x", "b\ty", "B\\N"])


@dataclass(frozen=True)
class Step:
    """What a transaction does: writes a row, moves it, deletes it; `large`: an update does not send `body`."""

    key: str
    kind: str
    n: str | None
    body: str | None
    to: str
    large: bool
    cut: bool


steps = st.lists(
    st.builds(
        Step,
        keys,
        st.sampled_from(["put", "put", "put", "move", "delete"]),
        numbers,
        bodies,
        keys,
        st.booleans(),
        st.booleans(),
    ),
    max_size=14,
)


@dataclass
class Source:
    """The source as it is after all that happened, which is what a look at it shows."""

    rows: dict[str, Row] = field(default_factory=dict)

    def read(
        self, schema: TableSchema, columns: Sequence[str], wanted: Sequence[tuple[str, ...]], _: Collection[int]
    ) -> Mapping[tuple[str, ...], Sequence[str]]:
        return {key: [_field(value) for value in self.rows[key[0]]] for key in wanted if key[0] in self.rows}


def _field(value: str | None) -> str:
    return "\\N" if value is None else value.replace("\\", "\\\\").replace("\t", "\\t")


def happened(source: Source, done: Sequence[Step]) -> Iterator[tuple[bool, list[Written]]]:
    """Changes the source; gives each transaction's changes, and whether a batch ends behind it."""
    for number, step in enumerate(done, 1):
        changes = [replace(change, lsn=number * 10, xid=number) for change in _changes(source, step)]
        yield step.cut, changes


def _changes(source: Source, step: Step) -> list[Written]:
    present = source.rows.pop(step.key, None)
    if step.kind == "delete":
        return [Written("d", (step.key,))] if present else []
    if present is None:
        source.rows[step.key] = (step.key, step.n, step.body)
        return [Written("c", source.rows[step.key])]
    to = step.to if step.kind == "move" and step.to not in source.rows else step.key
    source.rows[to] = (to, step.n, present[2] if step.large else step.body)
    sent = Written("u", (*source.rows[to][:2], None) if step.large else source.rows[to], "001" if step.large else None)
    if to == step.key:
        return [sent]
    return [Written("d", (step.key,)), replace(sent, former=(step.key,), seq=1)]


def alone(changes: Sequence[Written]) -> list[list[Written]]:
    """Batches in which no value that was not sent leans on an earlier change of the same batch, as engines promise."""
    batches: list[list[Written]] = [[]]
    touched: set[str | None] = set()
    for change in changes:
        if change.unchanged is not None and {change.values[0], *(change.former or ())} & touched:
            # a key's change stays in one batch with the deletion right before it
            half = [batches[-1].pop()] if change.former is not None else []
            batches.append(half)
            touched = {one.values[0] for one in half}
        batches[-1].append(change)
        touched.add(change.values[0])
    return batches


def folded(changes: TableChanges, written: Sequence[Written]) -> TableChanges:
    """One change per key, where that is the same: no key comes twice."""
    once = len({one.values[0] for one in written}) == len(written)
    return replace(changes, folded=once)


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from(FILTERS), st.booleans())
def test_a_filtered_target_has_the_rows_that_sql_chooses(done: list[Step], filters: list[str], masked: bool) -> None:
    source = Source()
    batches: list[list[Written]] = [[]]
    for cut, changes in list(happened(source, done)):  # all of it happens before the stream is read
        batches[-1] += changes
        if cut:
            batches.append([])
    masks = {"id": "hash"} if masked else None
    declared = TableRules.parse(None, masks, filters)
    rules = RowRules(1, declared, SCHEMA, SyncMode.CURRENT, MaskingKey(b"k" * 32), source)
    target = TableTarget(1, rules.schema, TABLE, rules=rules)
    store = MemoryStore()
    destination = MemoryDestination(store)
    destination.open(1)
    destination.ensure_table(target)
    for number, written in enumerate((part for each in batches for part in alone(each)), 1):
        made = rules.apply(folded(payload(SCHEMA, *written), written))
        writes = (TableWrite(target, made),) if made.row_count else ()
        destination.write_changes(WriteBatch(StreamPosition(Lsn(number)), writes=writes))
    found = {tuple(row.values.values()) for row in store.tables[TABLE].rows.values()}
    assert found == {
        (rules.masking_key.mask(str(row[0])) if masked else row[0], *row[1:]) for row in chosen(source, declared)
    }


def chosen(source: Source, declared: TableRules) -> list[Row]:
    """The rows of the source that pass, by SQL."""
    text, values = duckdb_bound(check_filters(SCHEMA, declared.filters))
    SQL.execute("CREATE OR REPLACE TABLE t (id VARCHAR, n VARCHAR, body VARCHAR)")
    if source.rows:
        SQL.executemany("INSERT INTO t VALUES (?, ?, ?)", list(source.rows.values()))
    return SQL.execute(f"SELECT * FROM t WHERE {text}", values).fetchall()
