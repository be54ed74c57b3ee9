"""Chunks of which the target knows few rows: all others go into the table by COPY."""

from __future__ import annotations

import pytest

from compute.destinations.postgres import PostgresDestination
from compute.destinations.postgres.session import Session
from compute.tests.contract.changes import Change, batch, changes, chunk, schema, target
from compute.tests.contract.conftest import PostgresLane

pytestmark = pytest.mark.integration
KEYS = {
    "bigint": ("bigint", [str(n) for n in range(-50, 50)]),
    "uuid": ("uuid", [f"{n:08x}-0000-4000-8000-00000000000a" for n in range(100)]),
    "text": ("text", [f"k{n:03}" for n in range(100)]),
}


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Into what rows are copied."""
    sent: list[str] = []
    real = Session.copy

    def noted(self: Session, sql: str, data: bytes, doing: str) -> int:
        sent.append(sql)
        return real(self, sql, data, doing)

    monkeypatch.setattr(Session, "copy", noted)
    return sent


@pytest.mark.parametrize(("kind", "keys"), KEYS.values(), ids=KEYS)
def test_rows_that_the_target_knows_are_found_by_their_keys(
    postgres_lane: PostgresLane, writer: PostgresDestination, copied: list[str], kind: str, keys: list[str]
) -> None:
    of = target(schema("things", (("before", "text"), ("a", "integer"), ("k", kind)), ("a", "k")), copying=True)
    writer.ensure_table(of)
    writer.start_copy(of)
    known = [Change("u", n, ("new", "7", keys[n])) for n in (1, 49, 98)] + [Change("d", 99, (None, "7", keys[60]))]
    writer.write_changes(batch(100, (of, changes(of.schema, known))))
    copied.clear()
    written = writer.write_rows(chunk(of, [("r\\", "7", key) for key in keys], "50:50:"))
    straight = any(sql.startswith('COPY "copy"."things"') for sql in copied)
    assert straight is (kind != "text")  # how the target orders text, only the target knows
    assert written == 96
    rows = {row[2]: row[0] for row in postgres_lane.rows(of)}
    assert rows == {key: "r\\" for key in keys if key != keys[60]} | {keys[n]: "new" for n in (1, 49, 98)}
    copied.clear()
    writer.write_rows(chunk(of, [("again", "7", key) for key in keys], "50:50:"))
    assert not any(sql.startswith('COPY "copy"."things"') for sql in copied)
    assert [row[0] for row in postgres_lane.rows(of)].count("again") == 96


@pytest.mark.parametrize(
    "obstacle",
    [
        'CREATE RULE r AS ON INSERT TO "copy"."things" WHERE new.k < 0 DO INSTEAD NOTHING',
        'ALTER TABLE "copy"."things" ENABLE ROW LEVEL SECURITY',
        'ALTER TABLE "copy"."things" ALTER _rosetta_synced_at DROP DEFAULT',
    ],
    ids=["rule", "row security", "no default"],
)
def test_chunks_are_merged_where_a_copy_would_not_do_the_same(
    postgres_lane: PostgresLane, writer: PostgresDestination, copied: list[str], obstacle: str
) -> None:
    of = target(schema("things", (("k", "bigint"), ("a", "text")), ("k",)), copying=True)
    writer.ensure_table(of)
    writer.start_copy(of)
    postgres_lane.query(obstacle)
    writer.close()
    writer.open(2)  # it hears what the table is when it first writes to it
    copied.clear()
    assert writer.write_rows(chunk(of, [(str(key), "a") for key in range(9)], "50:50:")) == 9
    assert not any(sql.startswith('COPY "copy"."things"') for sql in copied)
    assert len(postgres_lane.rows(of)) == 9
