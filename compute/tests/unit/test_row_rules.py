"""Rules of a table sync, applied to payloads: columns, names, masks and filters."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from compute.dlq.parcels import UNFIT, Parcel, entries
from compute.dlq.records import changes_of
from compute.tests.support.changes import line, lines_of, payload
from compute.tests.support.lanes import batch
from compute.transforms import RowRules
from compute.transforms.row_rules import Key
from rosetta.enums import SyncMode
from rosetta.errors import ConfigurationError, OutageError, SchemaMismatchError
from rosetta.identifiers import TableId
from rosetta.table_rules import MaskingKey, TableRules
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "people")
KEY = MaskingKey(b"k" * 32)
SCHEMA = TableSchema(
    TABLE,
    (Column("id", "bigint", nullable=False), Column("email", "text"), Column("age", "integer"), Column("bio", "text")),
    ("id",),
    primary_key=("id",),
)
KEYLESS = replace(SCHEMA, key=(), primary_key=())
HOSTILE = "tab\tnewline\nreturn\rback\\slash\b\f\v 'quote' \"double\" {1,\\N} $$ ä \U0001f600"


@dataclass
class Source:
    """Rows of the source as they are now."""

    rows: dict[Key, Sequence[str]] = field(default_factory=dict)
    asked: list[tuple[list[Key], set[int]]] = field(default_factory=list)

    def read(
        self,
        schema: TableSchema,
        columns: Sequence[str],
        keys: Sequence[tuple[str, ...]],
        transactions: Collection[int],
    ) -> Mapping[tuple[str, ...], Sequence[str]]:
        self.asked.append((list(keys), set(transactions)))
        return {key: self.rows[key] for key in keys if key in self.rows}


def rules(
    columns: Any = None,
    masks: Any = None,
    filters: Any = None,
    *,
    schema: TableSchema = SCHEMA,
    mode: SyncMode = SyncMode.CURRENT,
    source: Source | None = None,
) -> RowRules:
    return RowRules(7, TableRules.parse(columns, masks, filters), schema, mode, KEY, source or Source())


def masked(text: str) -> str:
    return hmac.new(KEY.secret, text.encode(), hashlib.sha256).hexdigest()


def test_columns_are_left_out_and_renamed_in_the_order_of_the_source() -> None:
    ruled = rules({"bio": "story", "id": "key"})
    made = ruled.apply(payload(SCHEMA, line("c", "1", "a@b", "30", HOSTILE), line("d", "2")))
    assert made.columns == ruled.schema.column_names == ("key", "story")
    assert made.key == ruled.schema.key == ("key",)
    assert lines_of(made) == [("c", ("1", HOSTILE)), ("d", ("2", None))]
    assert (made.row_count, made.has_deletes, made.folded, made.made_for) == (2, True, True, ruled.made_for)


def test_a_column_that_came_later_is_sent_unless_columns_were_named() -> None:
    later = replace(SCHEMA, columns=(*SCHEMA.columns, Column("more", "text")))
    changes = payload(later, line("c", "1", "a", "2", "b", "new"))
    assert rules(None, {"email": "null"}).apply(changes).columns == (*SCHEMA.column_names, "more")
    assert rules(["id", "age"]).apply(changes).columns == ("id", "age")


def test_masks_keep_null_and_what_was_not_sent() -> None:
    ruled = rules(masks={"email": "hash", "age": "redact", "bio": "null"})
    changes = payload(
        SCHEMA,
        line("c", "1", HOSTILE, "30", "secret"),
        line("u", "2", None, None, None),
        line("u", "3", None, "4", None, unchanged="0101"),
    )
    made = ruled.apply(changes)
    assert lines_of(made) == [
        ("c", ("1", masked(HOSTILE), "***", None)),
        ("u", ("2", None, None, None)),
        ("u", ("3", None, "***", None)),
    ]
    assert b"0101" in bytes(made.data)
    assert b"secret" not in bytes(made.data)
    assert [column.type for column in ruled.schema.columns] == ["bigint", "text", "text", "text"]


def test_a_default_of_a_column_that_joins_is_masked_too() -> None:
    joined = replace(SCHEMA, columns=tuple(replace(column, missing="secret") for column in SCHEMA.columns))
    ruled = rules(masks={"email": "hash", "age": "redact", "bio": "null"}, schema=joined)
    assert [column.missing for column in ruled.schema.columns] == ["secret", masked("secret"), "***", None]


def test_what_is_unchanged_is_said_of_the_columns_that_are_sent() -> None:
    changes = payload(SCHEMA, line("u", "1", None, "2", None, unchanged="0101"), line("u", "2", "x", "2", "y"))
    assert b"\t01\t" in bytes(rules(["id", "email"]).apply(changes).data)
    without = rules(["id", "age"]).apply(changes)
    assert not without.has_unchanged
    assert lines_of(without) == [("u", ("1", "2")), ("u", ("2", "2"))]


def test_a_masked_key_is_masked_wherever_it_stands() -> None:
    schema = replace(SCHEMA, key=("id", "email"), primary_key=("id", "email"))
    odd = 'a"b\\c{d},e\tf'
    ruled = rules(masks={"email": "hash"}, schema=schema)
    moved = line("u", "1", "new", "3", None, unchanged="0001", former=("1", odd))
    made = ruled.apply(payload(schema, line("d", "1", odd), moved))
    assert lines_of(made) == [("d", ("1", masked(odd), None, None)), ("u", ("1", masked("new"), "3", None))]
    assert f'{{"1","{masked(odd)}"}}'.encode() in bytes(made.data)
    assert ruled.masks_key


def test_an_empty_payload_and_one_whose_rows_all_stay_behind() -> None:
    for changes in (payload(SCHEMA), payload(SCHEMA, line("c", "1", "a", "3", "b"))):
        made = rules(filters=["age > 17"]).apply(changes)
        assert (made.row_count, bytes(made.data), made.has_deletes) == (0, b"", False)


def test_rows_enter_leave_and_stay() -> None:
    changes = payload(
        SCHEMA,
        line("c", "1", "a", "18", "new, and passes"),
        line("c", "2", "a", "17", "new, and does not: nothing to delete"),
        line("u", "3", "a", "18", "passes"),
        line("u", "4", "a", "17", "does not, or not any more"),
        line("u", "5", "a", None, "neither true nor false"),
        line("d", "6"),
        line("u", "7", "a", "3", "moved out", former=("8",)),
    )
    made = rules(["id", "email"], filters=["age >= 18"]).apply(changes)
    assert lines_of(made) == [
        ("c", ("1", "a")),
        ("u", ("3", "a")),
        ("d", ("4", None)),
        ("d", ("5", None)),
        ("d", ("6", None)),
        ("d", ("7", None)),
    ]
    assert (made.has_deletes, made.has_moved) == (True, False)


def test_history_leaves_out_what_does_not_pass() -> None:
    changes = payload(SCHEMA, line("c", "1", "a", "17", "b"), line("u", "2", "a", "18", "b"), line("d", "3"))
    made = rules(filters=["age >= 18"], mode=SyncMode.APPEND).apply(changes)
    assert [op for op, _ in lines_of(made)] == ["u", "d"]
    by_key = rules(filters=["id > 5"], mode=SyncMode.APPEND).apply(changes)
    assert lines_of(by_key) == []


def test_a_row_without_all_its_values_is_read_again() -> None:
    """The whole of it: it is as of now, and what happened to it since comes down the stream behind this."""
    source = Source({("1",): ("1", "a", "20", r"long\tstory"), ("2",): ("2", "b", "3", "x")})
    changes = payload(
        SCHEMA,
        line("u", "1", "a", "18", None, unchanged="0001", xid=41),
        line("u", "2", "b", "18", None, unchanged="0001", xid=42),
        line("u", "3", "c", "18", None, unchanged="0001", xid=42),
        line("u", "4", "d", "18", "whole"),
    )
    made = rules(filters=["age >= 18"], source=source).apply(changes)
    assert source.asked == [([("1",), ("2",), ("3",)], {41, 42})]
    assert lines_of(made) == [
        ("u", ("1", "a", "20", "long\tstory")),
        ("d", ("2", None, None, None)),
        ("d", ("3", None, None, None)),
        ("u", ("4", "d", "18", "whole")),
    ]
    assert not made.has_unchanged


def test_without_a_filter_nobody_is_asked() -> None:
    source = Source()
    made = rules(["id", "bio"], source=source).apply(payload(SCHEMA, line("u", "1", "a", "18", None, unchanged="0001")))
    assert (made.has_unchanged, source.asked) == (True, [])


def test_history_keeps_what_was_sent_and_asks_only_whether_it_passes() -> None:
    source = Source({("1",): ("1", "now", "20", "now")})
    changes = payload(SCHEMA, line("u", "1", "then", None, "then", unchanged="0010"))
    made = rules(filters=["age >= 18"], mode=SyncMode.APPEND, source=source).apply(changes)
    assert lines_of(made) == [("u", ("1", "then", None, "then"))]
    assert made.has_unchanged


def test_rows_without_a_key_are_told_by_all_their_values() -> None:
    changes = payload(
        KEYLESS,
        line("c", "1", "a", "17", "b"),
        line("d", "2", "a", "18", "old", seq=0),
        line("c", "2", "z", None, None, seq=1, unchanged="0011"),
        line("d", "3", "a", "17", "was never sent"),
    )
    made = rules(filters=["age >= 18"], schema=KEYLESS).apply(changes)
    assert lines_of(made) == [("d", ("2", "a", "18", "old")), ("c", ("2", "z", "18", "old"))]


@pytest.mark.parametrize(
    ("columns", "masks", "filters", "words"),
    [
        (["id", "nope"], None, None, "no column nope"),
        (None, {"nope": "hash"}, None, "no column nope"),
        (["email"], None, None, "key"),
        (["id"], {"email": "hash"}, None, "not selected"),
        (None, {"id": "redact"}, None, "part of the key"),
        (None, {"id": "blur"}, None, "mask"),
        ([], None, None, "columns"),
        ({"id": "x", "email": "x"}, None, None, "called x"),
        ({"id": "_rosetta_id"}, None, None, "Rosetta's own"),
        (None, None, ["nope = 1"], "nope"),
        (None, None, ["age = 'x'"], "age"),
    ],
)
def test_rules_that_do_not_fit_say_what_to_do(columns: Any, masks: Any, filters: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        rules(columns, masks, filters)
    assert words in refused.value.message
    assert refused.value.remedy


def test_a_stream_without_a_column_of_the_filter_is_refused() -> None:
    narrow = replace(SCHEMA, columns=SCHEMA.columns[:2])
    with pytest.raises(SchemaMismatchError, match="age"):
        rules(filters=["age > 1"]).apply(payload(narrow, line("c", "1", "a")))


def test_the_ledger_gets_each_syncs_own_and_gives_it_back() -> None:
    one, other = rules(["id"]), replace(rules(filters=["age > 20"]), sync_id=8)
    plain = 9
    whole = replace(batch(1), tables=(payload(SCHEMA, line("c", "1", "a", "18", "b"), line("d", "2")),))
    parcel = Parcel(whole, {TABLE: (7, 8, plain)}, rules={7: one, 8: other})
    made = list(entries(parcel, 1, "CODE", "why"))
    assert [entry.sync_id for entry in made] == [7, 8, 9]
    assert [entry.payload.row_count for entry in made] == [2, 1, 2]
    assert b"a" not in made[0].payload.data
    back = [changes_of(entry.payload, TABLE, entry.sync_id) for entry in made]
    assert [changes.made_for for changes in back] == [one.made_for, other.made_for, None]
    assert [changes.is_for(8) for changes in back] == [False, True, True]


def test_rules_that_do_not_fit_do_not_keep_the_ledger_from_other_tables() -> None:
    narrow = replace(SCHEMA, columns=SCHEMA.columns[:2])
    whole = replace(batch(1), tables=(payload(narrow, line("c", "1", "a")),))
    (entry,) = entries(Parcel(whole, {TABLE: (7,)}, rules={7: rules(filters=["age > 1"])}), 1, "CODE", "why")
    assert (entry.payload.rules, entry.payload.data) == (UNFIT, b"")


class Away(Source):
    def read(self, *_: Any) -> Mapping[Key, Sequence[str]]:
        raise OutageError("the source is away")


def test_with_the_source_away_nothing_is_parked_by_guesswork() -> None:
    lacking = payload(SCHEMA, line("u", "1", "a", "18", None, unchanged="0001"))
    whole = replace(batch(1), tables=(lacking,))
    parcel = Parcel(whole, {TABLE: (7,)}, rules={7: rules(filters=["age > 1"], source=Away())})
    with pytest.raises(OutageError):
        list(entries(parcel, 1, "CODE", "why"))
