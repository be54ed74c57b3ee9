"""Rules that are a statement: what becomes of changes, and of the rows of a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from compute.core.lines import lines
from compute.tests.support.changes import line, lines_of, payload
from compute.tests.unit.test_row_rules import HOSTILE, KEY, KEYLESS, SCHEMA, Source
from compute.transforms import CopiedRows, RowRules, RuleMaker
from rosetta.custom_sql import Sandbox
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, DataError, SchemaMismatchError
from rosetta.table_rules import TableRules
from rosetta.types import Column, TableSchema

ADULTS = "SELECT id AS key, email, upper(bio) AS story, age * 12 AS months FROM batch WHERE age >= 18"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


def rules(
    sandbox: Sandbox,
    sql: str = ADULTS,
    schema: TableSchema = SCHEMA,
    mode: SyncMode = SyncMode.CURRENT,
    source: Source | None = None,
) -> RowRules:
    declared = TableRules.parse(None, {}, [], sql)
    made = RuleMaker(KEY, source or Source(), sandbox).make(7, declared, schema, mode)
    assert made is not None
    return made


def test_what_arrives_is_what_the_statement_gives(sandbox: Sandbox) -> None:
    ruled = rules(sandbox)
    assert [(column.name, column.type) for column in ruled.schema.columns] == [
        ("key", "bigint"),
        ("email", "text"),
        ("story", "text"),
        ("months", "integer"),
    ]
    assert (ruled.schema.key, ruled.schema.primary_key) == (("key",), ("key",))
    assert not ruled.comparable


def test_rows_that_pass_are_written_and_others_deleted(sandbox: Sandbox) -> None:
    changes = payload(
        SCHEMA,
        line("c", "1", HOSTILE, "30", HOSTILE),
        line("c", "2", "x", "17", "x"),
        line("u", "3", "x", "17", "x"),
        line("u", "4", None, "18", None),
        line("d", "5"),
    )
    ruled = rules(sandbox)
    made = ruled.apply(changes)
    assert (made.columns, made.key) == (ruled.schema.column_names, ("key",))
    assert lines_of(made) == [
        ("c", ("1", HOSTILE, HOSTILE.upper(), "360")),
        ("d", ("3", None, None, None)),  # it may have been there
        ("u", ("4", None, None, "216")),
        ("d", ("5", None, None, None)),
    ]
    assert (made.row_count, made.has_deletes, made.made_for) == (4, True, ruled.made_for)


def test_history_keeps_what_passed_and_every_deletion(sandbox: Sandbox) -> None:
    changes = payload(SCHEMA, line("u", "1", "x", "17", "x"), line("u", "2", "x", "20", "x"), line("d", "3"))
    made = rules(sandbox, mode=SyncMode.APPEND).apply(changes)
    assert lines_of(made) == [("u", ("2", "x", "X", "240")), ("d", ("3", None, None, None))]


def test_a_row_is_whole_before_the_statement_sees_it(sandbox: Sandbox) -> None:
    source = Source({("1",): ("1", "now", "40", "long")})
    changes = payload(
        SCHEMA, line("u", "1", "x", "30", None, unchanged="0001"), line("u", "2", "x", "30", None, unchanged="0001")
    )
    made = rules(sandbox, source=source).apply(changes)
    assert lines_of(made) == [("u", ("1", "now", "LONG", "480")), ("d", ("2", None, None, None))]
    assert not made.has_unchanged


def test_without_a_key_a_deletion_is_of_the_row_that_was_sent(sandbox: Sandbox) -> None:
    ruled = rules(sandbox, schema=KEYLESS)
    made = ruled.apply(payload(KEYLESS, line("d", "1", "a", "30", "b"), line("c", "1", "a", "17", "b")))
    assert lines_of(made) == [("d", ("1", "a", "B", "360"))]


def test_the_rows_of_a_copy_become_the_same(sandbox: Sandbox) -> None:
    read = CopiedRows(SCHEMA.column_names, b"1\ta\t30\tb\\tc\n2\ta\t17\tb\n3\t\\N\t18\t\\N\n", 3)
    made = rules(sandbox).copied(read)
    assert made == CopiedRows(("key", "email", "story", "months"), b"1\ta\tB\\tC\t360\n3\t\\N\t\\N\t216\n", 2)


NUMBERS = "SELECT id, CAST(email AS INTEGER) AS n, age FROM batch WHERE age > 0"


def test_a_row_that_cannot_be_computed_keeps_others_up_no_more_than_its_values_are_kept(sandbox: Sandbox) -> None:
    ruled = rules(sandbox, NUMBERS)
    moved = line("c", "1", "canary", "30", "canary", former=("4",), lsn=9, seq=2)
    made = ruled.apply(payload(SCHEMA, moved, line("c", "2", "7", "1", "x"), line("d", "3")))
    # what is passed on is the target's anyway
    assert lines_of(made) == [("u", ("1", None, "30")), ("c", ("2", "7", "1")), ("d", ("3", None, None))]
    assert b"canary" not in made.data
    assert ruled.lacks_rows(made)
    assert not made.has_moved
    unmade = [one for one in lines(made) if one.has_unchanged]
    assert [(one.key, one.version) for one in unmade] == [((b"1",), (9, 2))]
    assert bytes(made.data).splitlines()[0].split(b"\t")[5] == b"010"
    whole = ruled.apply(payload(SCHEMA, line("c", "2", "7", "1", "x")))
    assert not ruled.lacks_rows(whole)
    assert ruled.again(whole) is whole


def test_what_could_not_be_computed_is_made_of_what_the_source_has_now(sandbox: Sandbox) -> None:
    source = Source({("1",): ("1", "8", "31", "b"), ("2",): ("2", "still not", "1", "b"), ("3",): ("3", "1", "0", "b")})
    ruled = rules(sandbox, NUMBERS, source=source)
    changes = [line("u", str(number), "no", "30", "x", lsn=number, xid=50 + number) for number in range(1, 5)]
    parked = ruled.apply(payload(SCHEMA, *changes, line("u", "5", "5", "5", "x")))
    made = ruled.again(parked)
    assert sorted(lines_of(made), key=repr) == [
        ("d", ("3", None, None)),  # it does not pass any more
        ("d", ("4", None, None)),  # it is gone
        ("u", ("1", "8", "31")),
        ("u", ("2", None, "1")),
        ("u", ("5", "5", "5")),
    ]
    assert [one.key for one in lines(made) if one.has_unchanged] == [(b"2",)]
    assert source.asked == [([("1",), ("2",), ("3",), ("4",)], {51, 52, 53, 54})]


def test_a_statement_that_computes_no_row_or_a_row_without_a_key_is_refused_without_values(sandbox: Sandbox) -> None:
    many = payload(SCHEMA, *(line("c", str(number), "canary", "1", "x") for number in range(100)))
    keyless = payload(KEYLESS, line("c", "1", "canary", "1", "x"), line("c", "2", "7", "1", "x"))
    for ruled, changes, said in (
        (rules(sandbox, NUMBERS), many, "100 of 100"),
        (rules(sandbox, NUMBERS, KEYLESS), keyless, "1 of 2"),
    ):
        with pytest.raises(DataError, match=said) as failed:
            ruled.apply(changes)
        assert failed.value.code == "CUSTOM_SQL_FAILED"
        assert "canary" not in str(failed.value)


def test_rows_of_a_copy_that_cannot_be_computed_stand_apart(sandbox: Sandbox) -> None:
    ruled = rules(sandbox, NUMBERS)
    read = CopiedRows(SCHEMA.column_names, b"1\tcanary\t30\tx\n2\t7\t17\tb\n3\tcanary\t0\tx\n4\tno\t9\tx\n", 4)
    made = ruled.copied(read)
    assert (made.data, made.row_count) == (b"2\t7\t17\n", 1)
    assert made.unmade is not None
    assert lines_of(made.unmade) == [("u", ("1", None, "30")), ("u", ("4", None, "9"))]
    assert b"canary" not in made.unmade.data
    versions = [one.version for one in lines(made.unmade)]
    assert [lsn for lsn, _ in versions] == [0, 0]
    assert len({seq for _, seq in versions}) == 2
    assert all(0 < seq < 2**63 for _, seq in versions)
    again = ruled.copied(read)
    assert again.unmade is not None
    assert [one.version for one in lines(again.unmade)] == versions


def test_another_table_is_checked_anew(sandbox: Sandbox) -> None:
    ruled = rules(sandbox)
    later = replace(SCHEMA, columns=(*SCHEMA.columns, Column("more", "text")))
    with pytest.raises(SchemaMismatchError):
        ruled.apply(payload(later, line("c", "1", "a", "20", "b", "new")))
    assert ruled.of(later).schema == ruled.schema
    gone = replace(SCHEMA, columns=SCHEMA.columns[:-1])
    with pytest.raises(ConfigurationError, match="no column bio"):
        ruled.of(gone)


def test_it_stands_alone() -> None:
    with pytest.raises(ConfigurationError, match="stands alone"):
        TableRules.parse(["id"], {}, [], ADULTS)
    assert TableRules.parse(None, {}, [], ADULTS).fingerprint != TableRules().fingerprint
    assert not TableRules.parse(None, {}, [], "")
