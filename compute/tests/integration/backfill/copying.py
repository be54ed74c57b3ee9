"""A pipeline's copies between two real databases, with a stream of marks in place of an engine."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compute.backfill.manager import BackfillManager
from compute.backfill.parts import CopyOptions
from compute.backfill.ports import CopyProgress
from compute.core.catalog.copies import Copies
from compute.destinations.base import TableTarget
from compute.destinations.postgres import PostgresDestination
from compute.sources.postgres import PostgresSource
from compute.tests.integration.backfill.stream import MarkStream, ServedTables
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.waiting import eventually
from rosetta.enums import SyncMode
from rosetta.errors import OutageError
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint, connect

if TYPE_CHECKING:
    from compute.tests.integration.backfill.conftest import SourceDatabase

OPTIONS = CopyOptions(batch_rows=100, poll_seconds=0.1)


class ShakyCopies(Copies):
    """The job table, with a config database that can be away."""

    away = False

    def save_cursor(self, job_id: int, progress: CopyProgress) -> bool:
        self._check()
        return super().save_cursor(job_id, progress)

    def complete(self, job_id: int, *, early: bool = False) -> None:
        self._check()
        super().complete(job_id, early=early)

    def _check(self) -> None:
        if self.away:
            raise OutageError("the config database is away")


@dataclass
class Copying:
    """A pipeline's copies between two databases."""

    source: SourceDatabase
    config: ConfigSql
    target: PostgresEndpoint
    destination: PostgresDestination
    jobs: ShakyCopies
    stream: MarkStream
    pipeline_id: int
    tables: ServedTables
    manager: BackfillManager | None = None

    def start(self, options: CopyOptions = OPTIONS) -> None:
        source = PostgresSource(self.source.endpoint, "")
        self.manager = BackfillManager(self.pipeline_id, source, self.jobs, self.tables, options)
        self.stream.manager = self.manager
        self.manager.start()

    def stop(self) -> None:
        if self.manager is not None:
            self.manager.stop()

    def queue(
        self, name: str, kind: str = "INITIAL", *, serve: bool = True, mode: SyncMode = SyncMode.CURRENT
    ) -> tuple[int, int]:
        """A table sync and its copy job; ids of both."""
        sync_id = self.config.one(
            "INSERT INTO table_syncs (pipeline_destination_id, table_name) SELECT id, %s FROM pipeline_destinations"
            " ON CONFLICT (pipeline_destination_id, schema_name, table_name, target_schema, target_name)"
            " DO UPDATE SET state = 'PENDING' RETURNING id",
            name,
        )
        job_id = self.config.one(
            "INSERT INTO queue_backfill_data (pipeline_id, table_sync_id, kind, table_name) VALUES (%s, %s, %s, %s)"
            " RETURNING id",
            self.pipeline_id,
            sync_id,
            kind,
            name,
        )
        if serve:
            self.serve(sync_id, name, mode)
        return sync_id, job_id

    def serve(self, sync_id: int, name: str, mode: SyncMode = SyncMode.CURRENT) -> None:
        target = TableTarget(sync_id, self.source.schema(name), TableId("public", name), mode, copying=True)
        with self.stream.lock:
            self.destination.ensure_table(target)
            self.destination.start_copy(target)
        self.stream.targets[sync_id] = self.tables.targets[sync_id] = target

    def job(self, job_id: int, *columns: str) -> tuple[Any, ...]:
        row = self.config.row(f"SELECT {', '.join(columns)} FROM queue_backfill_data WHERE id = %s", job_id)
        assert row is not None
        return row

    def status(self, job_id: int) -> str:
        return str(self.job(job_id, "status")[0])

    def completed(self, job_id: int) -> None:
        eventually(lambda: self.status(job_id) in {"COMPLETED", "FAILED"}, 30, f"job {job_id}")
        assert self.job(job_id, "status", "error_message") == ("COMPLETED", None)

    def target_rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(connect(self.target, application="test")) as session, session.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def same(self, name: str) -> bool:
        columns = ", ".join(f'"{column}"' for column in self.source.schema(name).column_names)
        query = f"SELECT {columns} FROM public.{name}"
        ours, theirs = self.source.rows(query), self.target_rows(query)
        return sorted(map(repr, ours)) == sorted(map(repr, theirs))


def fill(source: SourceDatabase, name: str = "t", rows: int = 1000) -> None:
    source.run(
        f"CREATE TABLE public.{name} (id int PRIMARY KEY, body text)",
        f"INSERT INTO public.{name} SELECT n, repeat('x', n % 50) FROM generate_series(1, {rows}) n",
    )
