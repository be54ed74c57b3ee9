"""Which refusals come of labels that an enum has got since its table was looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.core.growth import TypesGrewError, check_labels, with_new_labels
from compute.destinations.base import Refusal, TableTarget
from rosetta.errors import DataError, OutageError
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema, UserType

INVALID = DataError("refused", code="PG_22P02")


def schema(*labels: str) -> TableSchema:
    mood = UserType("public", "mood", "enum", labels)
    columns = (Column("id", "integer"), Column("one", "public.mood", user_types=(mood,)))
    return TableSchema(TableId("public", "t"), columns, ("id",))


TARGET = TableTarget(7, schema("sad"), TableId("public", "t"))


def test_a_label_that_the_target_lacks_is_found() -> None:
    grown = with_new_labels(TARGET, INVALID, lambda _: schema("sad", "happy"))
    assert grown == replace(TARGET, schema=schema("sad", "happy"))


@pytest.mark.parametrize("now", [schema("sad"), None])
def test_a_source_without_news_leaves_the_refusal_as_it_is(now: TableSchema | None) -> None:
    assert with_new_labels(TARGET, INVALID, lambda _: now) is None
    check_labels(Refusal({7: INVALID}), {7: TARGET}, lambda _: now)


def test_the_source_is_asked_only_where_it_may_help() -> None:
    def asked(_: TableId) -> TableSchema:
        raise AssertionError("asked")

    assert with_new_labels(TARGET, DataError("refused", code="PG_23502"), asked) is None
    plain = replace(TARGET, schema=replace(TARGET.schema, columns=TARGET.schema.columns[:1]))
    assert with_new_labels(plain, INVALID, asked) is None
    check_labels(Refusal({8: INVALID}), {7: TARGET}, asked)  # not served any more


def test_a_batch_is_undone_for_all_tables_that_lack_labels() -> None:
    with pytest.raises(TypesGrewError) as grew:
        check_labels(Refusal({7: INVALID}), {7: TARGET}, lambda _: schema("sad", "happy"))
    assert [target.sync_id for target in grew.value.targets] == [7]


def test_a_source_that_is_away_decides_nothing() -> None:
    def away(_: TableId) -> TableSchema:
        raise OutageError("the source is away")

    with pytest.raises(OutageError):
        check_labels(Refusal({7: INVALID}), {7: TARGET}, away)
