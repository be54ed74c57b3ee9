"""Rules that are a statement: what becomes of changes, and of the rows of a copy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

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


def test_a_row_that_cannot_be_computed_says_so_without_its_values(sandbox: Sandbox) -> None:
    ruled = rules(sandbox, "SELECT id, CAST(email AS INTEGER) AS n FROM batch")
    with pytest.raises(DataError, match="1 of 2 rows") as failed:
        ruled.apply(payload(SCHEMA, line("c", "1", "canary", "1", "x"), line("c", "2", "7", "1", "x")))
    assert failed.value.code == "CUSTOM_SQL_FAILED"
    assert "canary" not in str(failed.value)


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
