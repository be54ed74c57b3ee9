"""Every statement as text: pinned in a file, and understood by a parser of Snowflake's SQL.

`ROSETTA_GOLDEN=write` writes the files anew; what changed is then read in the commit.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import sqlglot
from sqlglot import exp

from rosetta.dialects.postgres.checksum import ComparedColumn, ComparedTable, KeyRange
from rosetta.dialects.snowflake import checksum, chunk_merge, history, landing, merge, tables
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import own
from rosetta.dialects.snowflake.portable import TargetValue, portable_text
from rosetta.dialects.snowflake.tables import TargetColumn
from rosetta.dialects.snowflake.types import type_of
from rosetta.enums import DeleteMode, SyncMode
from rosetta.identifiers import TableId
from rosetta.types import Column

GOLDEN: Final = Path(__file__).parent / "golden"
STAMP: Final = 1_795_293_309_824_583
_TYPES: Final = {"AT": "date", "ID": "bigint", "NAME": "text", "DOC": "jsonb", "TAGS": "text[]", "IMAGE": "bytea"}


def table(*, soft: bool = False) -> MergeTable:
    columns = tuple(TargetColumn(name, type_of(Column(name, kind))) for name, kind in _TYPES.items())
    return MergeTable(TableId("SHOP", 'OR"DERS'), own("STAGING_1_2_ab"), columns, (1, 0), soft, "1_2_7")


Made = dict[str, str | tuple[str, ...] | list[str]]


def statements() -> Made:
    return {**statements_of_tables(), **statements_of_rows(), **statements_of_comparing()}


def statements_of_tables() -> Made:
    hard = table()
    target, source = hard.target, TableId("public", "or'ders")
    return {
        "own_tables": tables.CREATE_OWN,
        "create_current": tables.create_table_sql(
            target, hard.columns, ["ID", "AT"], SyncMode.CURRENT, DeleteMode.SOFT
        ),
        "create_append": tables.create_table_sql(target, hard.columns, ["ID"], SyncMode.APPEND, DeleteMode.HARD),
        "add_columns": tables.add_columns_sql(target, {"A": "NUMBER(38,0)", "B": "VARIANT"}),
        "widen": tables.widen_sql(target, "A", "NUMBER(12,2)"),
        "columns": tables.columns_sql(target),
        "schema": tables.schema_sql("SHOP"),
        "staging": tables.create_staging_sql(hard.staging, 6, 2),
        "copy_into": tables.copy_into_sql(hard.staging, f"@{own('FILES')}/1_2/7/3_1/"),
        "put": tables.put_sql("/loads/rows.parquet", f"@{own('FILES')}/1_2/7/3_1/"),
        "claim": (
            tables.claim_sql(target, source, 1, 2),
            tables.owners_sql(target),
            tables.remember_source_sql(target, "[]", "7", outdated=True),
            tables.release_sql(target),
        ),
        "copy_state": (
            tables.copy_state_sql(target),
            tables.mark_copy_sql(target, since=STAMP),
            tables.mark_copy_sql(target, since=None),
        ),
        "fence": (tables.take_fence_sql(1, 2, 3), tables.progress_sql(1, 2)),
        "progress": (
            tables.write_progress_sql((1, 2, 3), STAMP, ("0/1A", "0/0", 0)),
            tables.write_progress_sql((1, 2, 3), STAMP, None),
        ),
        "removal": (tables.own_names_sql(), tables.remove_progress_sql(1, 2), tables.remove_claims_sql(1, 2)),
    }


def statements_of_rows() -> Made:
    hard, soft, snapshot = table(), table(soft=True), "100:120:103,107"
    return {
        "fold": merge.fold_sql(hard),
        "left_out": (merge.unfit_sql(hard), merge.drop_lines_sql(hard, [3, 5])),
        "missing": merge.missing_sql(hard),
        "merge": merge.merge_sql(hard, STAMP, filled=False),
        "merge_filled_soft": merge.merge_sql(soft, STAMP, filled=True),
        "truncate": (merge.truncate_sql(hard, STAMP, up_to=None), merge.truncate_sql(soft, STAMP, up_to=77)),
        "copy_notes": (merge.note_missing_sql(hard, STAMP), merge.bury_sql(hard), *merge.renew_notes_sql(hard)),
        "replay": (merge.stale_sql(hard, copying=True), *merge.drop_known_sql(hard, copying=True)),
        "copy_tables": (*chunk_merge.create_copy_sql(hard), *chunk_merge.drop_copy_sql(hard)),
        "chunk": (
            *chunk_merge.delete_absent_sql(
                hard, chunk_merge.key_range(hard, ("1", "2024-01-01"), ("9", "2024-02-01")), snapshot, STAMP
            ),
            chunk_merge.upsert_rows_sql(hard, snapshot, STAMP),
            *chunk_merge.fill_from_rows_sql(hard, snapshot),
        ),
        "chunk_soft": (
            *chunk_merge.delete_absent_sql(soft, chunk_merge.one_of(soft, [("1", "2024-01-01")]), snapshot, STAMP),
            chunk_merge.upsert_rows_sql(soft, snapshot, STAMP),
        ),
        "chunk_places": (chunk_merge.places_sql(hard, snapshot), chunk_merge.forget_notes_sql(hard, [1])),
        "keys": (
            chunk_merge.unconfirmed_keys_sql(hard, ("1", "2024-01-01"), STAMP, 500),
            chunk_merge.unfilled_keys_sql(hard, 500),
        ),
        "landing": (
            landing.CREATE_LANDINGS,
            landing.create_landing_sql("LANDING_1_2_AB", 6, 2),
            landing.enter_sql((1, 2), 7, "LANDING_1_2_AB", '["id", "at"]'),
            landing.entered_sql((1, 2)),
            landing.forget_sql((1, 2)),
        ),
        "landed": (
            landing.take_sql(hard, "LANDING_1_2_AB", "00AA.FF"),
            landing.facts_sql(hard),
            landing.read_sql("LANDING_1_2_AB", 6, "00AA.FF"),
            landing.drop_merged_sql("LANDING_1_2_AB", "00AA.FF"),
            landing.drop_beyond_sql("LANDING_1_2_AB", "00AA.FF"),
        ),
        "append": history.append_sql(hard, STAMP),
        "append_truncate": history.append_truncate_sql(hard, 77, STAMP),
        "append_rows": history.append_rows_sql(hard, STAMP),
    }


def statements_of_comparing() -> Made:
    """Of a row's columns each in its own way of being written."""
    raw = 'CAST(t."_ROSETTA_RAW":"C" AS VARCHAR)'
    families = ("TEXT", "NUMBER", "DATE", "BOOLEAN", "BINARY", "TIME", "TIMESTAMP_TZ", "FLOAT", "VARIANT")
    made = [
        portable_text(ComparedColumn("c", "numeric"), (), TargetValue('t."C"', family, 2, raw)) for family in families
    ]
    columns = tuple(ComparedColumn("C", "", text.target) for text in made)
    compared = ComparedTable(TableId("SHOP", 'OR"DERS'), columns, columns[:2], True, condition='NOT t."GONE"')
    keys = [("a|b", "1.50"), ("~", "2.00")]
    return {
        "compare": (
            checksum.totals_sql(compared, KeyRange()),
            checksum.buckets_sql(compared, KeyRange(), 64),
            checksum.members_sql(compared, KeyRange(), 64, [3, 5]),
            checksum.lookup_sql(compared, keys),
            checksum.values_sql(compared, keys, reveal=False),
            checksum.values_sql(compared, keys, reveal=True),
            checksum.totals_sql(replace(compared, key=()), KeyRange()),
        ),
        "compare_progress": (checksum.progress_exists_sql(), checksum.progress_sql((1, 2))),
    }


@pytest.mark.parametrize("name", statements())
def test_statements_are_what_they_were_and_parse(name: str) -> None:
    made = statements()[name]
    listed = [made] if isinstance(made, str) else list(made)
    file, text = GOLDEN / f"{name}.sql", ";\n\n".join(one.rstrip(";") for one in listed) + ";\n"
    if os.environ.get("ROSETTA_GOLDEN") == "write":
        file.write_text(text)
    assert file.read_text() == text
    for statement in listed:
        parsed = sqlglot.parse_one(statement, read="snowflake")
        assert isinstance(parsed, exp.Put | exp.Copy) or not isinstance(parsed, exp.Command)


def test_every_golden_file_is_of_a_statement() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == statements().keys()


def test_no_expression_stands_outside_of_what_a_merge_reads() -> None:
    """The emulator of the tests, and so what they show, needs that."""
    for name in ("merge", "merge_filled_soft", "chunk"):
        made = statements()[name]
        for statement in [made] if isinstance(made, str) else made:
            if statement.startswith("MERGE"):
                tail = statement[statement.index(") w ON ") :]
                assert re.findall(r"\b(?!NOT|IN|INSERT|VALUES|AND|OR\b)[A-Z_]{2,}\(", tail) == []
