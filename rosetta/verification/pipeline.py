"""What there is to verify of a pipeline: read from the config database, carried out destination by destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from sqlalchemy import create_engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session as ConfigSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.pool import NullPool

from rosetta.database import sync_url
from rosetta.dialects.postgres.catalog import parse_tables, publication_tables_sql
from rosetta.dialects.postgres.table_facts import publication_filters_sql
from rosetta.endpoints import destination_endpoint, source_endpoint
from rosetta.enums import DestinationType
from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint
from rosetta.sealed import open_config
from rosetta.secrets import Keyring
from rosetta.snowflake import snowflake_endpoint
from rosetta.snowflake.options import FLUSH_SECONDS, flush_of, naming_of
from rosetta.table_rules import MaskingKey, TableRules, source_view
from rosetta.tables import Pipeline, PipelineDestination, TableSync
from rosetta.types.schema import TableSchema
from rosetta.verification.report import PipelineReport, VerificationReport
from rosetta.verification.request import Bounds, TablePair, Target
from rosetta.verification.session import PostgresSession
from rosetta.verification.verifier import verify_tables


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of a pipeline's destinations (by name) and source tables (`schema.table`) to verify; empty: all."""

    destination: str | None = None
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """What a publication sends: tables with their columns, and the conditions its rows must meet."""

    schemas: Mapping[TableId, TableSchema]
    conditions: Mapping[TableId, str] = field(default_factory=dict)

    def pair(self, source: TableId, target: TableId) -> TablePair:
        schema = self.schemas.get(source)
        reason = None if schema else "the publication does not have this table"
        return TablePair(source, target, schema, condition=self.conditions.get(source), not_comparable=reason)


def read_publication(endpoint: PostgresEndpoint, name: str, bounds: Bounds) -> Publication:
    """Raises the errors of `rosetta.errors` when the source cannot be read."""
    with closing(PostgresSession(endpoint, bounds)) as session:
        schemas = parse_tables(session.value(publication_tables_sql(name)))
        filters = session.rows(publication_filters_sql(name))
    return Publication(schemas, {TableId(schema, table): condition for schema, table, condition in filters})


def verify_pipelines(
    database_url: str, keyring: Keyring, name: str | None, selection: Selection, bounds: Bounds
) -> list[PipelineReport]:
    """Verifies the pipeline called `name`, or every pipeline.

    What cannot be reached is reported as not compared. Raises ConfigurationError when there is no such pipeline or
    destination, OutageError when the config database is away.
    """
    pipelines = _pipelines(database_url, name)
    if not pipelines:
        raise ConfigurationError(f"there is no pipeline {name!r}" if name else "there is no pipeline")
    reports = [_verify(pipeline, keyring, selection, bounds) for pipeline in pipelines]
    if not any(report.destinations or report.reason for report in reports):
        raise ConfigurationError(
            f"there is no destination {selection.destination!r}" if selection.destination else "there is no destination"
        )
    return reports


def _pipelines(database_url: str, name: str | None) -> Sequence[Pipeline]:
    engine = create_engine(sync_url(database_url), poolclass=NullPool)
    joined = selectinload(Pipeline.destinations)
    query = (
        select(Pipeline)
        .options(joinedload(Pipeline.source), joined.joinedload(PipelineDestination.destination))
        .options(joined.selectinload(PipelineDestination.table_syncs))
        .order_by(Pipeline.name)
    )
    try:
        with ConfigSession(engine, expire_on_commit=False) as session:
            return session.scalars(query if name is None else query.where(Pipeline.name == name)).all()
    except DBAPIError:
        # its text quotes the statement and the address
        raise OutageError("the config database cannot be read", remedy="Check DATABASE_URL.") from None
    finally:
        engine.dispose()


def verify_databases(
    source: PostgresEndpoint, target: Target, publication: str, tables: Sequence[str], bounds: Bounds
) -> PipelineReport:
    """Verifies two databases without a config database: every published table against its namesake."""
    try:
        published = read_publication(source, publication, bounds)
    except RosettaError as error:
        return PipelineReport(None, reason=error.message)
    pairs = chosen_pairs([published.pair(table, table) for table in sorted(published.schemas)], tables)
    return PipelineReport(None, (verify_tables(source, target, pairs, bounds),))


def _verify(pipeline: Pipeline, keyring: Keyring, selection: Selection, bounds: Bounds) -> PipelineReport:
    chosen = [
        joined
        for joined in pipeline.destinations
        if selection.destination is None or joined.destination.name == selection.destination
    ]
    try:
        endpoint = source_endpoint(pipeline.source, keyring)
        publication = read_publication(endpoint, pipeline.source.publication_name, bounds)
    except RosettaError as error:
        return PipelineReport(pipeline.name, reason=error.message)
    reports = tuple(_verify_destination(endpoint, publication, joined, keyring, selection, bounds) for joined in chosen)
    return PipelineReport(pipeline.name, reports)


def _verify_destination(
    endpoint: PostgresEndpoint,
    publication: Publication,
    joined: PipelineDestination,
    keyring: Keyring,
    selection: Selection,
    bounds: Bounds,
) -> VerificationReport:
    row, owner = joined.destination, (joined.pipeline_id, joined.destination_id)
    try:
        config = open_config(row, keyring)
        if row.type is DestinationType.POSTGRESQL:
            target, schema = Target(row.name, destination_endpoint(config), owner), config.get("pg_schema")
        else:
            lag_seconds = flush_of(config).get("seconds", FLUSH_SECONDS)
            target = Target(row.name, snowflake_endpoint(config), owner, naming_of(config), lag_seconds)
            schema = config.get("snowflake_schema")
    except RosettaError as error:
        return VerificationReport(row.name, (), reason=error.message)
    key = MaskingKey(keyring.masking_key)
    pairs = chosen_pairs(_pairs(publication, joined, str(schema) if schema else None, key), selection.tables)
    return verify_tables(endpoint, target, pairs, bounds)


def chosen_pairs(pairs: Iterator[TablePair] | Sequence[TablePair], tables: Sequence[str]) -> list[TablePair]:
    """The pairs of the named source tables; a name without a pair gets one that says so. All when none is named."""
    everything = list(pairs)
    if not tables:
        return everything
    found = [pair for pair in everything if str(pair.source) in tables]
    names = {str(pair.source) for pair in found}
    unknown = [TableId(*_split(name)) for name in dict.fromkeys(tables) if name not in names]
    return found + [TablePair(table, table, not_comparable="it is not replicated") for table in unknown]


def _pairs(
    publication: Publication, joined: PipelineDestination, schema: str | None, key: MaskingKey
) -> Iterator[TablePair]:
    synced = set()
    for sync in joined.table_syncs:
        source = TableId(sync.schema_name, sync.table_name)
        synced.add(source)
        yield _synced_pair(publication, sync, schema, key)
    if joined.sync_all_tables:
        for source in sorted(publication.schemas.keys() - synced):
            yield publication.pair(source, TableId(schema or source.schema, source.name))


def _synced_pair(publication: Publication, sync: TableSync, schema: str | None, key: MaskingKey) -> TablePair:
    source = TableId(sync.schema_name, sync.table_name)
    target = TableId(sync.target_schema or schema or source.schema, sync.target_name or source.name)
    pair = replace(publication.pair(source, target), mode=sync.mode)
    if sync.custom_sql:
        return replace(pair, not_comparable="tables with custom_sql cannot be compared yet")
    try:
        rules = TableRules.parse(sync.columns, sync.masks, sync.filters)
        return _ruled(pair, rules, key) if rules else pair
    except RosettaError as error:
        return replace(pair, not_comparable=error.message)


def _ruled(pair: TablePair, rules: TableRules, key: MaskingKey) -> TablePair:
    """The pair as the rules of its table sync show the source. Raises ConfigurationError where they do not fit it."""
    if pair.schema is None:
        return pair
    rules.check(pair.schema)
    view = source_view(rules, pair.schema, key)
    conditions = [f"({condition})" for condition in (pair.condition, view.condition) if condition]
    return replace(
        pair,
        columns={column.source.name: column.name for column in view.columns},
        condition=" AND ".join(conditions) or None,
        masked={column.source.name: column.source.sql for column in view.columns if column.source.sql is not None},
    )


def _split(name: str) -> tuple[str, str]:
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("public", name)
