"""Answers made of what the ports found."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import Response

from app.domain.ports import ServerInfo, SourceTable, TargetColumn, TargetTable
from app.domain.schemas.base import PageRequest
from app.domain.schemas.inspection import (
    ColumnView,
    ConnectionView,
    FindingView,
    PreflightView,
    SchemaView,
    SourceTableView,
    TableSchemaView,
)
from rosetta.identifiers import TableId
from rosetta.preflight import Finding
from rosetta.types.schema import Column, TableSchema


def page_response(items: Sequence[str], total: int, query: PageRequest) -> Response:
    """A page whose items are JSON already."""
    body = f'{{"items":[{",".join(items)}],"total":{total},"limit":{query.limit},"offset":{query.offset}}}'
    return Response(body.encode(), media_type="application/json")


def connection_view(server: ServerInfo) -> ConnectionView:
    major, minor = divmod(server.server_version, 10_000)
    return ConnectionView(
        message=f"Connected to PostgreSQL {major}.{minor} as {server.user}.",
        server_version=server.server_version,
        database=server.database,
        user=server.user,
        tls=server.tls,
        wal_level=server.wal_level,
    )


def preflight_view(findings: Sequence[Finding]) -> PreflightView:
    views = [
        FindingView(
            code=finding.code,
            severity=finding.severity,
            title=finding.title,
            detail=finding.detail,
            remedy=finding.remedy,
            sql=finding.sql,
            table=None if finding.table is None else str(finding.table),
        )
        for finding in findings
    ]
    return PreflightView(ready=all(view.severity != "error" for view in views), findings=views)


def source_table_view(table: SourceTable) -> SourceTableView:
    return SourceTableView(
        schema_name=table.table.schema,
        table_name=table.table.name,
        size_bytes=table.size_bytes,
        rows_estimated=table.rows_estimated,
        key=list(table.key),
        replica_identity=table.replica_identity,
        partitioned=table.partitioned,
        in_publication=table.in_publication,
    )


def source_schema_view(tables: Sequence[TableSchema]) -> SchemaView:
    return SchemaView(tables=[_described(table.table, table.columns, table.key) for table in tables])


def target_schema_view(tables: Sequence[TargetTable]) -> SchemaView:
    return SchemaView(tables=[_described(table.table, table.columns) for table in tables])


def _described(
    table: TableId, columns: Sequence[Column] | Sequence[TargetColumn], key: Sequence[str] = ()
) -> TableSchemaView:
    return TableSchemaView(
        schema_name=table.schema,
        table_name=table.name,
        columns=[ColumnView(name=column.name, type=column.type, nullable=column.nullable) for column in columns],
        key=list(key),
    )
