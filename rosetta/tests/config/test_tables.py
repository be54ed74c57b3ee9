"""The mapping reads and writes the same values through psycopg2 and asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.exc import InvalidRequestError, StatementError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, joinedload, selectinload

from rosetta.database import async_url, sync_url
from rosetta.enums import DesiredStatus, DestinationType, ObservedStatus, SslMode, TableSyncState
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn
from rosetta.tables import Destination, Pipeline, PipelineDestination, Setting, Source, TableSync

pytestmark = pytest.mark.integration

LSN = Lsn.parse("16/B374D848")


def use(driver: str, url: str, work: Callable[[Session], None]) -> None:
    """Runs `work` in a transaction over one of the drivers."""
    if driver == "psycopg2":
        engine = create_engine(sync_url(url), poolclass=NullPool)
        with Session(engine) as session, session.begin():
            work(session)
        return

    async def run() -> None:
        engine = create_async_engine(async_url(url), poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(lambda bind: work(Session(bind)))
        await engine.dispose()

    asyncio.run(run())


def write(session: Session) -> None:
    source = Source(name="s", pg_host="h", pg_database="d", pg_username="u", publication_name="p")
    pipeline = Pipeline(name="p", source=source, acknowledged_lsn=LSN, status="START")
    joined = PipelineDestination(
        pipeline=pipeline, destination=Destination(name="d", type=DestinationType.POSTGRESQL, config={"pg_port": 1})
    )
    sync = TableSync(pipeline_destination=joined, table_name="t", columns=["a", "b"])
    session.add_all([sync, Setting(key="k", value=[1, {"x": None}])])
    session.flush()
    # What the database filled in is there without another statement.
    assert source.replication_id == source.id
    assert source.sslmode is SslMode.PREFER
    assert sync.state is TableSyncState.PENDING
    created = pipeline.updated_at
    assert created is not None
    pipeline.acknowledged_lsn = Lsn(LSN + 1)
    session.flush()
    assert pipeline.updated_at == created, "now() is the transaction's"


def read(session: Session) -> None:
    pipeline = session.scalars(
        select(Pipeline)
        .where(Pipeline.acknowledged_lsn > LSN, Pipeline.status == DesiredStatus.START)
        .options(
            joinedload(Pipeline.source),
            selectinload(Pipeline.destinations).options(
                joinedload(PipelineDestination.destination),
                joinedload(PipelineDestination.pipeline_metadata),
                selectinload(PipelineDestination.table_syncs),
            ),
        )
    ).one()
    assert pipeline.acknowledged_lsn == LSN + 1
    assert str(pipeline.acknowledged_lsn) == "16/B374D849"
    assert isinstance(pipeline.acknowledged_lsn, Lsn)
    assert pipeline.status is DesiredStatus.START
    assert pipeline.source.name == "s"
    (joined,) = pipeline.destinations
    assert joined.destination.config == {"pg_port": 1}
    assert joined.pipeline_metadata is not None
    assert joined.pipeline_metadata.status is ObservedStatus.STARTING
    assert joined.pipeline_metadata.durable_lsn is None
    (sync,) = joined.table_syncs
    assert sync.columns == ["a", "b"]
    assert sync.filters == []
    assert session.get_one(Setting, "k").value == [1, {"x": None}]
    assert session.scalars(select(Pipeline.id).where(Pipeline.acknowledged_lsn.in_([LSN]))).all() == []


@pytest.mark.parametrize("writer", ["psycopg2", "asyncpg"])
@pytest.mark.parametrize("reader", ["psycopg2", "asyncpg"])
def test_both_drivers_agree(cluster: PostgresCluster, psql_database: str, writer: str, reader: str) -> None:
    url = cluster.dsn(psql_database)
    use(writer, url, write)
    use(reader, url, read)


def test_a_relationship_that_was_not_loaded_raises(cluster: PostgresCluster, psql_database: str) -> None:
    use("psycopg2", cluster.dsn(psql_database), write)

    def touch(session: Session) -> None:
        pipeline = session.scalars(select(Pipeline)).one()
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = pipeline.destinations

    use("psycopg2", cluster.dsn(psql_database), touch)


def test_deleting_through_the_mapping_leaves_cascades_to_the_database(
    cluster: PostgresCluster, psql_database: str
) -> None:
    use("psycopg2", cluster.dsn(psql_database), write)

    def delete(session: Session) -> None:
        session.delete(session.scalars(select(Pipeline)).one())
        session.flush()
        assert session.scalars(select(TableSync)).all() == []

    use("psycopg2", cluster.dsn(psql_database), delete)


def test_an_unknown_value_of_an_enumeration_is_refused_before_it_is_sent(
    cluster: PostgresCluster, psql_database: str
) -> None:
    def ask(session: Session) -> None:
        with pytest.raises(StatementError, match="STOPP"):
            session.scalars(select(Pipeline).where(Pipeline.status == "STOPP"))

    use("psycopg2", cluster.dsn(psql_database), ask)
