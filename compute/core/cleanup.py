"""Undoes what pipelines have left behind.

Slots and publications of ours at sources, side tables at destinations, streams in Redis.
"""

from __future__ import annotations

import queue
import threading
from contextlib import AbstractContextManager, nullcontext

import psycopg2

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.catalog.cleanup import CleanupTask
from compute.destinations.registry import remove_traces
from compute.sources.postgres import PostgresSource
from rosetta.backoff import Backoff
from rosetta.dialects.postgres import quoted
from rosetta.enums import CleanupKind
from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.logs import get_logger
from rosetta.postgres import PostgresEndpoint, connect, translate_error

_RETRIES = Backoff(0.25, 60.0)
_OUTAGE_SECONDS = 1.0  # of the config database
_log = get_logger("compute.cleanup")


class CleanupWorker:
    """A thread of the supervisor, so that an unreachable source holds nothing up."""

    def __init__(self, catalog: Catalog, settings: Settings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._interval_seconds = settings.poll_seconds
        self._wake = threading.Event()
        self._released: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._letting_go: set[int] = set()  # kept until the config database has heard of it
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="cleanup", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do now."""
        self._wake.set()

    def released(self, pipeline_id: int) -> None:
        """A deleted pipeline's process has ended: what waited for that may be removed."""
        self._released.put(pipeline_id)
        self._wake.set()

    def stop(self) -> None:
        """Takes no further task; one under way is claimed and comes again."""
        self._ended = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(self._pass())
            self._wake.clear()

    def _pass(self) -> float:
        """Does what is due; the seconds until there may be more."""
        try:
            while not self._released.empty():
                self._letting_go.add(self._released.get())
            while self._letting_go:
                self._catalog.cleanup.ended(next(iter(self._letting_go)))
                self._letting_go.pop()
            while not self._ended and (task := self._catalog.cleanup.claim()):
                self._attempt(task)
            return min(self._interval_seconds, self._catalog.cleanup.next_seconds())
        except OutageError as error:
            _log.warning("cleanup_waits", error=error.message)
            return min(self._interval_seconds, _OUTAGE_SECONDS)

    def _attempt(self, task: CleanupTask) -> None:
        try:
            with self._alone(task):
                if not self._catalog.cleanup.used_again(task):
                    self._undo(task)
            self._catalog.cleanup.done(task.task_id)
        except RosettaError as error:
            self._catalog.cleanup.retry(task.task_id, error.message, _RETRIES.delay_seconds(task.attempts))
            _log.warning("cleanup_failed", kind=task.kind, name=task.object_name, error=error.message)
            return
        _log.info("cleanup_done", kind=task.kind, name=task.object_name)

    def _alone(self, task: CleanupTask) -> AbstractContextManager[None]:
        if task.destination_id is None:
            return nullcontext()
        return self._catalog.cleanup.alone(int(task.object_name), task.destination_id)

    def _undo(self, task: CleanupTask) -> None:
        if task.destination_id is not None:
            self._undo_at_destination(task.destination_id, int(task.object_name))
            return
        if task.source_id is None:
            raise ConfigurationError(f"a task {task.kind} names neither source nor destination")
        endpoint = self._catalog.plans.endpoint(task.source_id)
        if task.kind is CleanupKind.DROP_SLOT:
            source = PostgresSource(endpoint, "")
            try:
                source.drop_slot(task.object_name, end_walsender=True)
            finally:
                source.close()
        else:
            drop_publication(endpoint, task.object_name)

    def _undo_at_destination(self, destination_id: int, pipeline_id: int) -> None:
        from compute.dlq.removal import remove_streams  # only now: the supervisor needs Redis for nothing else

        url, prefix = self._settings.redis_url, self._settings.dlq_key_prefix
        try:
            kind, config = self._catalog.plans.destination(destination_id)
            remove_traces(kind, config, pipeline_id, destination_id)
        finally:  # either may be away for long
            remove_streams(url, prefix, destination_id, self._catalog.cleanup.feeding(destination_id))


def drop_publication(endpoint: PostgresEndpoint, name: str) -> None:
    """Drops a publication of the source; one that is gone already is fine. Raises OutageError or DataError."""
    connection = connect(endpoint, application="rosetta cleanup", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP PUBLICATION IF EXISTS {quoted(name)}")
    except psycopg2.Error as error:
        raise translate_error(error, f"dropping publication {name}") from None
    finally:
        connection.close()
