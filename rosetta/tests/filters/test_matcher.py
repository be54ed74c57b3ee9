"""What a matcher says of columns, in whatever form they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from rosetta.filters import check_filters, matcher, parse_filters
from rosetta.identifiers import TableId
from rosetta.types import Column, TableSchema

BATCH_ROWS = 100_000


def _whole(values: Any) -> Any:
    return values


def _in_chunks(values: Any) -> Any:
    third = len(values) // 3
    return pa.chunked_array([values[:third], values[third:third], values[third:]])


def _sliced(values: Any) -> Any:
    """Of a large string array, from the middle of it."""
    return (values.cast(pa.large_string()) if values.type == pa.string() else values)[777:-3]


@pytest.mark.parametrize("shape", [_whole, _in_chunks, _sliced], ids=lambda shape: shape.__name__)
def test_a_mask_of_a_large_batch_is_that_of_its_rows(shape: Callable[[Any], Any]) -> None:
    """Whatever form the columns come in; all conditions of a list must hold."""
    columns = {
        "n": ("numeric", ["1", "1.50", "-1.5", "NaN", "-Infinity", "12.5", "1.5", None, "100.00", "1.49999"]),
        "t": ("timestamp with time zone", ["2026-01-01 00:00:00+00", "infinity", None, "0044-03-15 12:00:00+00 BC",
                                           "10000-01-01 00:00:00+00", "2025-12-31 23:59:59.999999+00", "-infinity"]),
        "s": ("text", ["", "it's", None, "50%", "É", "é", "a\nb", "$$", "; --"]),
    }  # fmt: skip
    schema = TableSchema(TableId("public", "t"), tuple(Column(name, type_) for name, (type_, _) in columns.items()), ())
    # of different, coprime lengths, so that every combination comes up
    rows = [{name: values[row % len(values)] for name, (_, values) in columns.items()} for row in range(7 * 9 * 10)]
    repeats = BATCH_ROWS // len(rows) + 1
    batch = {name: shape(pa.array([row[name] for row in rows] * repeats, pa.string())) for name in columns}
    for written in (
        ["n > 1.5", "t >= '2026-01-01'", "s NOT IN ('', '50%')"],
        ["n BETWEEN -1.5 AND 1.5", "t < '0001-01-01'"],
        ["n != 'NaN'", "s ILIKE '%É%'", "t IS NOT NULL"],
        ["s IS NULL"],
        [],
    ):
        conditions = parse_filters(written)
        row_filter = check_filters(schema, conditions)
        expected = pa.array([row_filter.passes(row) for row in rows] * repeats)
        found = matcher(schema, conditions).mask(batch)
        assert found.equals(shape(expected) if shape is not _in_chunks else expected), written
        assert written == [] or 0 < found.true_count < len(found), written


def test_a_column_that_has_no_value_passes_only_where_null_does() -> None:
    schema = TableSchema(TableId("public", "t"), (Column("c", "integer"),), ())
    for column in (pa.nulls(3), pa.nulls(3, pa.string()), pa.array([], pa.string())):
        for written, passes in (("c > 1", False), ("c NOT IN (1)", False), ("c IS NULL", True)):
            assert matcher(schema, parse_filters([written])).mask({"c": column}).to_pylist() == [passes] * len(column)
