"""What two looks at a table differ in, and which policy leaves that to a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rosetta.enums import ReplicaIdentity, SchemaPolicy
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema
from rosetta.types.evolution import ChangeKind, SchemaChange, changes_between, diff_json, needs_consent, shape_of

ID = Column("id", "integer", number=1)
NAME = Column("name", "character varying(10)", number=2)
PRICE = Column("price", "numeric(10,2)", number=3)
TABLE = TableSchema(TableId("public", "t"), (ID, NAME, PRICE), ("id",), relation=5)


def differences(after: TableSchema, before: TableSchema = TABLE) -> list[tuple[ChangeKind, str | None]]:
    return [(change.kind, change.column) for change in changes_between(shape_of(before), shape_of(after))]


def test_the_same_table_differs_in_nothing() -> None:
    assert differences(replace(TABLE, storage="other", columns=(replace(ID, nullable=False), NAME, PRICE))) == []


def test_columns_come_go_and_are_renamed() -> None:
    more = Column("more", "text", number=5)
    assert differences(replace(TABLE, columns=(ID, PRICE, more))) == [
        (ChangeKind.COLUMN_DROPPED, "name"),
        (ChangeKind.COLUMN_ADDED, "more"),
    ]
    assert differences(replace(TABLE, columns=(ID, replace(NAME, name="title"), PRICE))) == [
        (ChangeKind.COLUMN_RENAMED, "title")
    ]
    # dropped, and added again under its name: another column
    assert differences(replace(TABLE, columns=(ID, PRICE, replace(NAME, number=4)))) == [
        (ChangeKind.COLUMN_DROPPED, "name"),
        (ChangeKind.COLUMN_ADDED, "name"),
    ]


@pytest.mark.parametrize(
    ("column", "now", "kind"),
    [
        (ID, "bigint", ChangeKind.TYPE_WIDENED),
        (ID, "numeric", ChangeKind.TYPE_WIDENED),
        (ID, "smallint", ChangeKind.TYPE_CHANGED),
        (ID, "text", ChangeKind.TYPE_CHANGED),
        (NAME, "character varying(20)", ChangeKind.TYPE_WIDENED),
        (NAME, "text", ChangeKind.TYPE_WIDENED),
        (NAME, "character varying(5)", ChangeKind.TYPE_CHANGED),
        (PRICE, "numeric(12,4)", ChangeKind.TYPE_WIDENED),
        (PRICE, "numeric(10,3)", ChangeKind.TYPE_CHANGED),  # one digit less before the point
        (PRICE, "numeric(9,2)", ChangeKind.TYPE_CHANGED),
    ],
)
def test_a_type_is_wider_by_the_rules_or_another(column: Column, now: str, kind: ChangeKind) -> None:
    columns = tuple(replace(one, type=now) if one is column else one for one in TABLE.columns)
    (change,) = changes_between(shape_of(TABLE), shape_of(replace(TABLE, columns=columns)))
    assert (change.kind, change.column, change.before, change.after) == (kind, column.name, column.type, now)


def test_a_renamed_column_of_the_key_is_no_other_key() -> None:
    renamed = replace(TABLE, columns=(replace(ID, name="number"), NAME, PRICE), key=("number",))
    assert differences(renamed) == [(ChangeKind.COLUMN_RENAMED, "number")]
    assert differences(replace(TABLE, key=("id", "name"))) == [(ChangeKind.KEY_CHANGED, None)]
    full = replace(TABLE, replica_identity=ReplicaIdentity.FULL)
    assert differences(full) == [(ChangeKind.IDENTITY_CHANGED, None)]


def test_a_table_that_was_made_anew_is_compared_by_name() -> None:
    anew = replace(TABLE, relation=6, columns=(replace(NAME, number=1), replace(ID, number=2)))
    assert differences(anew) == [(ChangeKind.TABLE_REPLACED, None), (ChangeKind.COLUMN_DROPPED, "price")]


def test_a_diff_says_what_and_in_words() -> None:
    changes = changes_between(shape_of(TABLE), shape_of(replace(TABLE, columns=(replace(ID, type="bigint"), NAME))))
    assert diff_json(changes) == {
        "changes": [
            {
                "kind": "type_widened",
                "column": "id",
                "before": "integer",
                "after": "bigint",
                "text": "column id was integer and is bigint",
            },
            {
                "kind": "column_dropped",
                "column": "price",
                "before": "numeric(10,2)",
                "text": "column price was dropped",
            },
        ]
    }


def test_each_policy_leaves_to_a_person_what_it_says() -> None:
    asks = {
        policy: {kind for kind in ChangeKind if needs_consent(SchemaChange(kind), policy)} for policy in SchemaPolicy
    }
    destructive = {
        ChangeKind.COLUMN_DROPPED,
        ChangeKind.COLUMN_RENAMED,
        ChangeKind.TYPE_CHANGED,
        ChangeKind.KEY_CHANGED,
    }
    assert asks[SchemaPolicy.EVOLVE] == destructive
    assert asks[SchemaPolicy.IGNORE] == destructive
    assert asks[SchemaPolicy.PAUSE] == set(ChangeKind) - {ChangeKind.IDENTITY_CHANGED}
