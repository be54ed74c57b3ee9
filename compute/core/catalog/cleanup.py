"""What must still be undone at sources and destinations after pipelines left them; retried until it is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Values
from rosetta.enums import CleanupKind
from rosetta.postgres import translate_error

_CLAIM_SECONDS = 60

# Claiming moves the next attempt away, so that two instances never work on one task at once.
_CLAIM = """
    UPDATE cleanup_tasks SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => %(seconds)s)
    WHERE id = (SELECT id FROM cleanup_tasks WHERE next_attempt_at <= now()
                ORDER BY attempts, next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, source_id, destination_id, object_name, attempts"""
_USED_AGAIN = """
    SELECT EXISTS (SELECT FROM pipelines p JOIN sources s ON s.id = p.source_id
                   WHERE s.id = %(source_id)s AND (s.publication_name = %(name)s OR p.slot_name = %(name)s))
        OR EXISTS (SELECT FROM pipeline_destinations
                   WHERE destination_id = %(destination_id)s AND pipeline_id::text = %(name)s)"""
_FEEDING = """
    SELECT DISTINCT p.source_id FROM pipeline_destinations pd JOIN pipelines p ON p.id = pd.pipeline_id
    WHERE pd.destination_id = %(destination_id)s"""
_LET_GO = """
    WITH due AS (
        UPDATE cleanup_tasks SET next_attempt_at = now()
        WHERE id = (SELECT id FROM cleanup_tasks
            WHERE kind = 'DROP_STAGING' AND object_name = %(pipeline_id)s AND attempts = 0 AND next_attempt_at > now()
              AND destination_id <> ALL(CAST(%(serving)s AS bigint[])) LIMIT 1)
        RETURNING id)
    SELECT pg_notify('rosetta_config', '{"table": "cleanup_tasks"}') FROM due"""
# Those that failed, too: what they waited for may have been this process.
_ENDED = """
    UPDATE cleanup_tasks SET next_attempt_at = now()
    WHERE id = (SELECT id FROM cleanup_tasks
        WHERE next_attempt_at > now()
          AND CASE kind WHEN 'DROP_STAGING' THEN object_name = %(pipeline_id)s
                        WHEN 'DROP_SLOT' THEN right(object_name, length(%(pipeline_id)s) + 1) = '_' || %(pipeline_id)s
                        ELSE false END LIMIT 1)
    RETURNING id"""
_NEXT = "SELECT extract(epoch FROM min(next_attempt_at) - now())::float8 FROM cleanup_tasks"
# Of a pipeline at a destination: whoever removes holds it, whoever begins to write waits for it.
_PLACE = "hashtextextended('rosetta cleanup ' || %(pipeline_id)s || ' ' || %(destination_id)s, 0)"
_HOLD = f"SELECT pg_advisory_lock({_PLACE})"
_SETTLED = f"SELECT pg_advisory_xact_lock({_PLACE})"
_DONE = "DELETE FROM cleanup_tasks WHERE id = %(id)s"
_RETRY = """
    UPDATE cleanup_tasks SET last_error = %(error)s, next_attempt_at = now() + make_interval(secs => %(seconds)s)
    WHERE id = %(id)s"""


@dataclass(frozen=True, slots=True)
class CleanupTask:
    """One thing to undo.

    Attributes:
        kind: DROP_SLOT or DROP_PUBLICATION at a source, DROP_STAGING at a destination.
        object_name: of the slot or publication; for DROP_STAGING the pipeline's id.
        attempts: this one counts.
    """

    task_id: int
    kind: CleanupKind
    source_id: int | None
    destination_id: int | None
    object_name: str
    attempts: int


class CleanupTasks:
    """Every method raises OutageError while the config database is away; each task is changed by itself."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    def claim(self) -> CleanupTask | None:
        """A task that is due, ours for a minute; one that has failed before waits for those that have not."""
        with self._database.transaction() as session:
            row = session.execute(_CLAIM, {"seconds": _CLAIM_SECONDS}).one_or_none()
        return None if row is None else CleanupTask(row.id, CleanupKind(row.kind), *row[2:])

    def next_seconds(self) -> float:
        """Until a task is due; infinite without one."""
        with self._database.transaction() as session:
            seconds: float | None = session.execute(_NEXT).scalar()
        return float("inf") if seconds is None else max(0.0, seconds)

    def used_again(self, task: CleanupTask) -> bool:
        """Whether a pipeline made since then uses the object, which so must stay."""
        with self._database.transaction() as session:
            used: bool = session.execute(
                _USED_AGAIN,
                {"source_id": task.source_id, "destination_id": task.destination_id, "name": task.object_name},
            ).scalar()
            return used

    @contextmanager
    def alone(self, pipeline_id: int, destination_id: int) -> Iterator[None]:
        """Nobody begins to write for the pipeline at the destination in the block; see `settled`.

        Raises OutageError while the config database is away.
        """
        try:
            with closing(self._database.connect()) as connection:
                connection.autocommit = True  # held by the session, whose end gives it back
                with connection.cursor() as cursor:
                    cursor.execute(_HOLD, {"pipeline_id": pipeline_id, "destination_id": destination_id})
                yield
        except psycopg2.Error as error:
            raise translate_error(error, "holding a destination that is cleaned up") from None

    def settled(self, pipeline_id: int, destination_id: int) -> None:
        """Returns once nothing of the pipeline is being removed at the destination.

        What begins to remove later sees that the pipeline has the destination again. Raises OutageError after 10 s.
        """
        with self._database.transaction() as session:
            session.execute(_SETTLED, {"pipeline_id": pipeline_id, "destination_id": destination_id})

    def feeding(self, destination_id: int) -> frozenset[int]:
        """The sources of the pipelines that a destination has."""
        with self._database.transaction() as session:
            return frozenset(session.execute(_FEEDING, {"destination_id": destination_id}).scalars())

    def let_go(self, pipeline_id: int, serving: Iterable[int]) -> None:
        """The pipeline's process writes to the destinations `serving` only: what it left at others may be removed."""
        self._one_by_one(_LET_GO, {"pipeline_id": str(pipeline_id), "serving": list(serving)})

    def ended(self, pipeline_id: int) -> None:
        """A deleted pipeline has no process any more: what waited or failed because of it is due."""
        self._one_by_one(_ENDED, {"pipeline_id": str(pipeline_id)})

    def done(self, task_id: int) -> None:
        with self._database.transaction() as session:
            session.execute(_DONE, {"id": task_id})

    def retry(self, task_id: int, error: str, delay_seconds: float) -> None:
        with self._database.transaction() as session:
            session.execute(_RETRY, {"id": task_id, "error": error, "seconds": delay_seconds})

    def _one_by_one(self, statement: str, values: Values) -> None:
        """A statement that changes one task, until it finds none."""
        found = True
        while found:
            with self._database.transaction() as session:
                found = bool(session.execute(statement, values))
