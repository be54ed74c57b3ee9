"""A source table as its rules show it, in SQL: for copies, for comparing, for looking before one leaps."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rosetta.dialects.postgres.checksum import ComparedColumn, exact_text
from rosetta.dialects.postgres.chunk_read import ReadPlan
from rosetta.dialects.postgres.masking import hmac_sql, redacted_sql
from rosetta.dialects.postgres.range_check import compared
from rosetta.dialects.postgres.text import literal
from rosetta.filters import check_filters, postgres_condition
from rosetta.table_rules.masking import REDACTED, MaskingKey, MaskKind
from rosetta.table_rules.rules import TableRules
from rosetta.types import Column, TableSchema


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A column: what it is called at the target, and what gives it at the source."""

    name: str
    source: ComparedColumn


@dataclass(frozen=True, slots=True)
class SourceView:
    """What of a table is sent; `condition` is SQL on a row `t`, None where every row is."""

    columns: tuple[ViewColumn, ...]
    condition: str | None = None


def source_view(rules: TableRules, schema: TableSchema, key: MaskingKey) -> SourceView:
    """The view of a table. Raises ConfigurationError where the filters do not fit it."""
    columns = tuple(
        ViewColumn(name, compared(column.name, column.type, _masked(column, rules.masks.get(column.name), key)))
        for column in schema.columns
        if (name := rules.target_name(column.name)) is not None
    )
    if not rules.filters:
        return SourceView(columns)
    return SourceView(columns, f"({postgres_condition(check_filters(schema, rules.filters), 't')})")


def through(view: SourceView, plan: ReadPlan) -> ReadPlan:
    """How to read what a view shows of a table, where `plan` reads all of it."""
    by_source = {column.source.name: column for column in view.columns}
    key = tuple(
        replace(part, target_name=by_source[part.name].name, mask=by_source[part.name].source.sql) for part in plan.key
    )
    return replace(
        plan,
        columns=tuple(column.name for column in view.columns),
        key=key,
        selected=tuple(column.source for column in view.columns),
        condition=view.condition,
    )


def _masked(column: Column, mask: MaskKind | None, key: MaskingKey) -> str | None:
    if mask is None:
        return None
    text = exact_text(compared(column.name, column.type))
    if mask is MaskKind.HASH:
        return hmac_sql(text, key.secret)
    return redacted_sql(text, literal(REDACTED)) if mask is MaskKind.REDACT else "NULL::text"
