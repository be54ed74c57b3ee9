"""Answers made of what the ports found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

from fastapi import Response

from app.domain.ports import CreditReport, ServerInfo, SourceTable, TargetColumn, TargetInfo, TargetTable
from app.domain.schemas.base import PageRequest
from app.domain.schemas.inspection import (
    ColumnView,
    ConnectionView,
    CreditDayView,
    CreditsView,
    FindingView,
    PreflightView,
    SchemaView,
    SourceTableView,
    TableSchemaView,
    TargetConnectionView,
)
from rosetta.identifiers import TableId
from rosetta.preflight import Finding
from rosetta.types.schema import Column, TableSchema


def page_response(items: Sequence[str], total: int, query: PageRequest) -> Response:
    """A page whose items are JSON already."""
    body = f'{{"items":[{",".join(items)}],"total":{total},"limit":{query.limit},"offset":{query.offset}}}'
    return Response(body.encode(), media_type="application/json")


def connection_view(server: ServerInfo) -> ConnectionView:
    return ConnectionView(
        message=f"Connected to PostgreSQL {server.version} as {server.user}.",
        server_version=server.server_version,
        database=server.database,
        user=server.user,
        tls=server.tls,
        wal_level=server.wal_level,
    )


def target_connection_view(server: TargetInfo) -> TargetConnectionView:
    message = f"Connected to {server.product} {server.version} as {server.user}."
    return TargetConnectionView(message=message, **asdict(server))


def credits_view(report: CreditReport) -> CreditsView:
    hindrance = report.hindrance
    return CreditsView(
        readable=hindrance is None,
        reason=None if hindrance is None else hindrance.message,
        remedy=None if hindrance is None else hindrance.remedy,
        read_at=report.read_at,
        total=sum((use.credits for use in report.uses), Decimal(0)),
        days=[CreditDayView(warehouse=use.warehouse, day=use.day, credits=use.credits) for use in report.uses],
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
