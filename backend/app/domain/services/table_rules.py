"""Rules of table syncs, held against the source before anything is saved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.core.exceptions import ConnectionRejectedError, DatabaseUnreachableError, InvalidRequestError
from app.domain.ports import RuleQuestion, SourceAddress, SourceDatabase
from app.domain.schemas.table_sync import RulesPreview
from rosetta.custom_sql import Sandbox, Statement
from rosetta.errors import ConfigurationError, DataError, SecretError
from rosetta.identifiers import TableId
from rosetta.table_rules import MaskingKey, TableRules, source_view
from rosetta.types.schema import TableSchema

RULES = ("columns", "masks", "filters", "custom_sql")


def parsed_rules(values: Mapping[str, Any]) -> TableRules:
    """The rules that a body, or a row, states. Raises InvalidRequestError for what is no rule of any table."""
    try:
        return TableRules.parse(*(values.get(name) for name in RULES))
    except ConfigurationError as error:
        raise _refused(error) from None


class TableRulesService:
    """For the source of one pipeline, which `address` tells when it is needed."""

    def __init__(
        self,
        address: Callable[[], Awaitable[SourceAddress]],
        database: SourceDatabase,
        key: MaskingKey,
        sandbox: Sandbox,
    ) -> None:
        self._address = address
        self._database = database
        self._key = key
        self._sandbox = sandbox

    async def check(self, table: TableId, rules: TableRules) -> None:
        """Raises InvalidRequestError where the rules do not fit the table.

        Nothing where the source cannot say so now, or does not publish the table yet: compute refuses such a table.
        """
        if not rules:
            return
        try:
            schema = await self._schema(await self._address(), table)
        except (DatabaseUnreachableError, ConnectionRejectedError, SecretError):
            return
        if schema is None:
            return
        _fit(rules, schema)
        if rules.custom_sql is not None:
            await self._statement(rules.custom_sql, schema)

    async def preview(self, table: TableId, rules: TableRules, former: TableRules | None) -> RulesPreview:
        """What the rules let through, and against `former` which rows would come and go.

        Raises InvalidRequestError where they do not fit the table, and what the source raises.
        """
        address = await self._address()
        schema = await self._schema(address, table)
        if schema is None:
            raise InvalidRequestError(
                f"The publication of the source does not have {table}.",
                code="TABLE_NOT_PUBLISHED",
                remedy=f"At the source: ALTER PUBLICATION ... ADD TABLE {table};",
            )
        _fit(rules, schema)
        if rules.custom_sql is not None:
            return await self._preview_of_statement(rules.custom_sql, address, schema)
        view = source_view(rules, schema, self._key)
        output = rules.output(schema, self._key)
        before = None
        if former is not None and former.custom_sql is not None:
            former = None  # what it lets through is not known in SQL of the source
        if former is not None:
            _fit(former, schema)
            before = source_view(former, schema, self._key)
        found = await self._database.preview(address, RuleQuestion(schema, view, before))
        return RulesPreview(
            rows=found.rows,
            rows_passing=found.passing,
            rows_entering=found.entering if former is not None else None,
            rows_leaving=found.leaving if former is not None else None,
            columns={column.name: column.type for column in output.columns},
            key=list(output.key),
            sample=[dict(zip(output.column_names, row, strict=True)) for row in found.sample],
        )

    async def _preview_of_statement(self, sql: str, address: SourceAddress, schema: TableSchema) -> RulesPreview:
        """Its rows are not counted: that would take all of them through the statement."""
        statement = await self._statement(sql, schema)
        output = statement.output(schema)
        found = await self._database.preview(
            address, RuleQuestion(schema, source_view(TableRules(), schema, self._key), None)
        )
        return RulesPreview(
            rows=found.rows,
            rows_passing=None,
            rows_entering=None,
            rows_leaving=None,
            columns={column.name: column.type for column in output.columns},
            key=list(output.key),
            sample=await asyncio.to_thread(self._sandbox.sample, statement, schema, found.sample),
        )

    async def _statement(self, sql: str, schema: TableSchema) -> Statement:
        try:
            return await asyncio.to_thread(self._sandbox.check, sql, schema)
        except (ConfigurationError, DataError) as error:
            raise InvalidRequestError(error.message, code=error.code, remedy=error.remedy) from None

    async def _schema(self, address: SourceAddress, table: TableId) -> TableSchema | None:
        published = await self._database.published_tables(address)
        return next((schema for schema in published if schema.table == table), None)


def _fit(rules: TableRules, schema: TableSchema) -> None:
    try:
        rules.check(schema)
    except ConfigurationError as error:
        raise _refused(error) from None


def _refused(error: ConfigurationError) -> InvalidRequestError:
    return InvalidRequestError(error.message, code=error.code, remedy=error.remedy)
