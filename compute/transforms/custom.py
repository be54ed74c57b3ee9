"""A statement of the user's own applied to a payload, or to the rows of a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from compute.core.batch import TableChanges
from compute.transforms.fields import (
    FROM,
    META,
    NULL,
    OP,
    UNCHANGED,
    Array,
    blank,
    escaped,
    fields_of,
    read,
    text_of,
    unescaped,
)
from compute.transforms.recomputing import standing_for
from compute.transforms.row_rules import CopiedRows, RowRules
from compute.transforms.wholes import looked_up, with_their_pairs
from rosetta.custom_sql import Sandbox, Statement
from rosetta.custom_sql.grammar import ROW
from rosetta.enums import SyncMode
from rosetta.errors import DataError, SchemaMismatchError

_HOPELESS_ROWS: Final = 100  # of which none can be computed: it is the statement that is wrong, not the rows


def apply(rules: RowRules, statement: Statement, sandbox: Sandbox, changes: TableChanges) -> TableChanges:
    """See `RowRules.apply`: WHERE is the filter, and what it gives are the columns."""
    columns = _columns(rules, changes.columns)
    fields, deletes, asked = _whole(rules, changes)
    passing, given, unmade = _computed(statement, sandbox, columns, fields[META:], asked, keyed=bool(changes.key))
    made = pc.or_(passing, unmade)
    if not changes.key:
        wanted, gone = passing, pa.repeat(False, len(passing))
    elif rules.mode is SyncMode.APPEND:
        wanted, gone = pc.or_(deletes, made), pa.repeat(False, len(passing))
    else:
        # a row that is new with the batch is not at the target, so there is nothing to delete
        wanted = pc.or_(pc.or_(deletes, made), pc.not_equal(fields[OP], "c"))
        gone = pc.and_not(pc.invert(made), deletes)
    key = tuple(name for source in changes.key if (name := statement.output_of(source)) is not None)
    meta = list(fields[:META])
    meta[OP] = pc.if_else(gone, "d", pc.if_else(unmade, "u", meta[OP]))
    meta[FROM] = blank(meta[FROM], pc.or_(gone, unmade))
    meta[UNCHANGED] = pc.if_else(unmade, statement.computed_bits, NULL)
    lost = pc.or_(gone, deletes) if changes.key else gone
    named = zip(statement.columns, given, strict=True)
    values = [value if column.name in key else blank(value, lost) for column, value in named]
    lines = [field.filter(wanted) for field in (*meta, *values)]
    return replace(
        changes,
        columns=tuple(column.name for column in statement.columns),
        key=key,
        row_count=len(lines[OP]),
        data=text_of(lines),
        has_deletes=bool(pc.any(pc.equal(lines[OP], "d")).as_py()),
        has_unchanged=bool(pc.any(unmade).as_py()),
        has_moved=changes.has_moved and bool(pc.any(pc.not_equal(lines[FROM], NULL)).as_py()),
        types=(),
        made_for=rules.made_for,
    )


def copied(rules: RowRules, statement: Statement, sandbox: Sandbox, rows: CopiedRows) -> CopiedRows:
    """See `RowRules.copied`."""
    text = rows.data.read_bytes() if isinstance(rows.data, Path) else rows.data
    fields = fields_of(text, len(rows.columns))
    asked = pa.repeat(True, len(fields[0]))
    columns, keyed = _columns(rules, rows.columns), bool(rules.source.key)
    passing, given, unmade = _computed(statement, sandbox, columns, fields, asked, keyed=keyed)
    lines = [value.filter(passing) for value in given]
    waiting = None
    if pc.any(unmade).as_py():
        waiting = standing_for(rules, statement, text_of([value.filter(unmade) for value in given]))
    return CopiedRows(tuple(column.name for column in statement.columns), text_of(lines), len(lines[0]), waiting)


def _whole(rules: RowRules, changes: TableChanges) -> tuple[list[Array], Array, Array]:
    """The fields with every row whole, which lines delete, and which the statement is asked about."""
    fields = read(changes)
    deletes = pc.equal(fields[OP], "d")
    if not changes.key:  # a deletion has the whole row, which has to be found again at the target
        whole = with_their_pairs(changes, fields) if changes.has_unchanged else fields
        return whole, deletes, pa.repeat(True, len(deletes))
    absent = pa.repeat(False, len(deletes))
    if changes.has_unchanged:
        fields, absent = looked_up(rules, changes, fields)
    return fields, deletes, pc.invert(pc.or_(deletes, absent))


def _columns(rules: RowRules, names: Sequence[str]) -> list[tuple[str, str]]:
    """Names and types of what the statement is given. Raises SchemaMismatchError for a column it does not know."""
    types = {column.name: column.type for column in rules.source.columns}
    if set(names) != set(types):
        raise SchemaMismatchError(
            f"{rules.source.table} has other columns than its custom SQL was checked with",
            remedy="Resync the table: the statement is checked again then.",
        )
    return [(name, types[name]) for name in names]


def _computed(
    statement: Statement,
    sandbox: Sandbox,
    columns: list[tuple[str, str]],
    fields: Sequence[Array],
    asked: Array,
    *,
    keyed: bool,
) -> tuple[Array, list[Array], Array]:
    """Which lines pass, the fields of the statement's columns for every line, and which lines cannot be computed.

    Computed fields are NULL where it was not asked, or could not say. Raises DataError where it can compute none of
    many rows, and where it cannot compute a row that nobody could find again (no key).
    """
    numbers = pc.cast(pc.indices_nonzero(asked), pa.int64())
    values = {name: unescaped(field).take(numbers) for (name, _), field in zip(columns, fields, strict=True)}
    table = pa.table({ROW: numbers, **values})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    answer = sandbox.run(statement, columns, sink.getvalue().to_pybytes())
    if answer.failed and (not keyed or len(answer.failed) == len(numbers) >= _HOPELESS_ROWS):
        raise DataError(
            f"the custom SQL cannot compute {len(answer.failed)} of {len(numbers)} rows",
            code="CUSTOM_SQL_FAILED",
            remedy="Let it give NULL for such rows (TRY_CAST, CASE), then resync the table.",
        )
    given = pa.ipc.open_stream(answer.rows).read_all().combine_chunks()
    found = given.column(ROW).combine_chunks()
    places = pc.index_in(pa.array(range(len(asked)), pa.int64()), value_set=found)
    by_source = {name: field for (name, _), field in zip(columns, fields, strict=True)}
    made = [
        by_source[column.source]
        if column.source is not None
        else pc.fill_null(escaped(given.column(column.name).combine_chunks()).take(places), NULL)
        for column in statement.columns
    ]
    unmade = pc.is_in(pa.array(range(len(asked)), pa.int64()), value_set=pa.array(answer.failed, pa.int64()))
    return pc.is_valid(places), made, unmade
