"""Which changes are of a table as it is known, and which are a reason to look at the source."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.core.batch import TableChanges
from compute.core.fitting import Fits, fits_at_sight, followed
from compute.destinations.base import TableTarget
from rosetta.enums import SchemaPolicy
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema

SCHEMA = TableSchema(
    TableId("public", "t"),
    (Column("id", "integer", number=1, type_id="23:-1"), Column("v", "varchar", number=2, type_id="1043:14")),
    ("id",),
)
CHANGES = TableChanges(
    SCHEMA.table, ("id", "v"), ("id",), 1, b"", False, False, False, False, types=("23:-1", "1043:14")
)


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        ({}, True),
        ({"types": ("23:-1", "1043:24")}, False),
        ({"types": ("20:-1", "1043:14")}, False),
        ({"types": ("23:10:0", "1043:10:-1")}, True),  # Debezium's words for the same
        ({"types": ("20:19:0", "1043:10:-1")}, False),
        ({"columns": ("id",), "types": ("23:-1",)}, False),
        ({"columns": ("id", "v", "w"), "types": ("23:-1", "1043:14", "25:-1")}, False),
        ({"columns": ("id", "w")}, False),
        ({"key": ("v",)}, False),
        ({"types": ()}, True),  # from the ledger
        ({"types": (), "columns": ("id",)}, True),
        ({"types": (), "columns": ("id", "w")}, False),
    ],
)
def test_changes_fit_at_sight_where_nothing_is_another(changed: dict[str, tuple[str, ...]], fits: bool) -> None:
    assert fits_at_sight(SCHEMA, replace(CHANGES, **changed)) is fits  # type: ignore[arg-type]


def test_a_shape_that_was_looked_at_is_known_until_the_target_is_another() -> None:
    target, fits = TableTarget(1, SCHEMA, SCHEMA.table), Fits()
    older = replace(CHANGES, columns=("id",), types=("23:-1",))
    assert not fits.has(target, older)
    fits.note(target, older)
    assert fits.has(target, older)
    assert not fits.has(target, CHANGES)
    grown = replace(target, copying=True)
    assert not fits.has(grown, older)
    fits.note(grown, CHANGES)
    assert not fits.has(grown, older)


@pytest.mark.parametrize(
    ("columns", "policy", "follows"),
    [
        ((*SCHEMA.columns, Column("w", "text", number=3)), SchemaPolicy.EVOLVE, True),
        ((*SCHEMA.columns, Column("w", "text", number=3)), SchemaPolicy.PAUSE, False),
        ((replace(SCHEMA.columns[0], type="bigint"), SCHEMA.columns[1]), SchemaPolicy.EVOLVE, True),
        ((replace(SCHEMA.columns[0], type="smallint"), SCHEMA.columns[1]), SchemaPolicy.EVOLVE, False),
        (SCHEMA.columns[:1], SchemaPolicy.EVOLVE, False),
        (SCHEMA.columns[:1], SchemaPolicy.IGNORE, False),
    ],
)
def test_a_look_is_followed_unless_a_person_is_asked(
    columns: tuple[Column, ...], policy: SchemaPolicy, follows: bool
) -> None:
    target, now = TableTarget(1, SCHEMA, SCHEMA.table), replace(SCHEMA, columns=columns)
    assert followed(target, SCHEMA, SchemaPolicy.EVOLVE) == (target, None)
    found, heard = followed(target, now, policy)
    assert heard == (now if follows else None if policy is SchemaPolicy.EVOLVE else SCHEMA)
    assert found.schema == (now if follows else SCHEMA)
    assert found.policy is policy


def test_a_writer_hears_of_another_key_of_the_same_columns() -> None:
    target, now = TableTarget(1, SCHEMA, SCHEMA.table), replace(SCHEMA, key=("id", "v"))
    assert followed(target, now, SchemaPolicy.EVOLVE) == (target, now)
