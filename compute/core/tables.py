"""The tables of a running pipeline: what the plan wants of each, carried out while the stream goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from compute.backfill.ports import CopyTarget, KeyQuestion
from compute.core.backfill_work import Answer, BeginBackfillWork, EndCopyWork
from compute.core.batch import TableSpec
from compute.core.catalog import Catalog
from compute.core.catalog.plan import DestinationPlan, PipelinePlan, TableSyncPlan
from compute.core.exit_codes import Failure
from compute.core.fitting import FitWork, followed
from compute.core.table_steps import Decision, Step, decide
from compute.core.work import AskWork, PrepareWork, ReleaseWork, Work
from compute.destinations.base import TableTarget
from compute.transforms import RuleMaker
from rosetta.enums import CopyKind, SchemaPolicy, SyncMode, TableSyncState
from rosetta.errors import OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.logs import get_logger
from rosetta.types import TableSchema

_RETRY_SECONDS = 1.0
_HELD_REMEDY = "Mend the cause, and the table goes on by itself; or set desired_state = 'RESYNC' to copy it again."
_log = get_logger("compute.tables")


@dataclass(frozen=True, slots=True)
class Served:
    """A table that a writer serves, or will as soon as its destination can be reached.

    `routed`: the engine delivers its changes.
    """

    destination_id: int
    target: TableTarget
    routed: bool = False


class TableBook:
    """Which tables are served, and the state of every sync; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[int, Served] = {}
        self._states: dict[int, tuple[int, TableSyncState, Failure | None]] = {}

    def serve(self, sync_id: int, served: Served) -> None:
        with self._lock:
            self._served[sync_id] = served

    def release(self, sync_id: int) -> Served | None:
        with self._lock:
            return self._served.pop(sync_id, None)

    def served(self) -> dict[int, Served]:
        with self._lock:
            return dict(self._served)

    def note(self, sync_id: int, destination_id: int, state: TableSyncState, failure: Failure | None = None) -> None:
        with self._lock:
            self._states[sync_id] = (destination_id, state, failure)

    def forget(self, keep: set[int]) -> None:
        with self._lock:
            self._states = {key: value for key, value in self._states.items() if key in keep}

    def copied(self, sync_id: int) -> None:
        """From COPYING to STREAMING; nothing changes when the table failed or was paused meanwhile."""
        with self._lock:
            owner, state, _ = self._states.get(sync_id, (0, None, None))
            if state is TableSyncState.COPYING:
                self._states[sync_id] = (owner, TableSyncState.STREAMING, None)

    def states(self, destination_id: int) -> list[tuple[TableSyncState, Failure | None]]:
        with self._lock:
            return [(state, failure) for owner, state, failure in self._states.values() if owner == destination_id]

    def failed(self, sync_id: int) -> bool:
        with self._lock:
            known = self._states.get(sync_id)
            return known is not None and known[1] is TableSyncState.ERROR

    def route(self, tell: Callable[[dict[TableId, TableSpec]], None]) -> None:
        """Tells the engine which tables to deliver; from then on their copies may begin."""
        served = self.served()
        tell(_specs(served.values()))
        with self._lock:
            for sync_id in served.keys() & self._served.keys():
                self._served[sync_id] = replace(self._served[sync_id], routed=True)


def _specs(served: Iterable[Served]) -> dict[TableId, TableSpec]:
    """What the engine must deliver; folded unless one of the table's syncs appends."""
    specs: dict[TableId, TableSpec] = {}
    for one in served:
        target = one.target
        known = specs.get(target.source)
        fold = target.mode is SyncMode.CURRENT and (known is None or known.fold)
        specs[target.source] = TableSpec(target.source, target.source_schema.key, fold)
    return specs


class TableControl:
    """Carries out the steps of `table_steps`, and answers the copies (`compute.backfill.ports.CopyTables`).

    `apply` and the posted consequences belong to one thread, the rest is safe on any.

    A state is written to the config database before anything depends on it: a table in ERROR before its
    changes are passed over, a copy job only after the writer serves its table.
    """

    def __init__(
        self,
        catalog: Catalog,
        book: TableBook,
        hand_over: Callable[[int, Work], None],
        post: Callable[[Callable[[], None]], None],
        stopping: threading.Event,
        rules: RuleMaker,
    ) -> None:
        """`rules` makes what is done to the changes of a sync on their way."""
        self._catalog = catalog
        self._rules = rules
        self._book = book
        self._hand_over = hand_over
        self._post = post
        self._stopping = stopping
        self._awaiting: set[int] = set()  # prepared as soon as the destination answers; not to be asked for twice

    def apply(self, plan: PipelinePlan, schemas: Mapping[TableId, TableSchema]) -> None:
        """Brings the served tables in line with the plan. Raises OutageError while the config database is away."""
        known: set[int] = set()
        for destination in plan.destinations:
            taken: dict[TableId, int] = {}
            for sync in destination.tables:
                known.add(sync.sync_id)
                target = target_table(destination, sync)
                conflict = taken.setdefault(target, sync.sync_id) != sync.sync_id
                self._apply(destination, sync, schemas.get(sync.source), target, conflict)
        for sync_id in self._book.served().keys() - known:
            self._release(sync_id)
        self._book.forget(known)

    def copy_target(self, sync_id: int) -> CopyTarget | None:
        """Where the chunks of a table go, once its changes are routed."""
        served = self._book.served().get(sync_id)
        return None if served is None or not served.routed else CopyTarget(served.destination_id, served.target)

    def ask(self, sync_id: int, question: KeyQuestion, answer: Callable[[list[tuple[str, ...]]], None]) -> None:
        """Has the table's writer ask its destination; nobody answers for a table that is not served."""
        served = self._book.served().get(sync_id)
        if served is not None:
            self._hand_over(served.destination_id, AskWork(sync_id, question, answer))

    def begin_backfill(self, sync_id: int, owner: str, begun: Answer) -> None:
        """From here on in the stream the table takes chunks; `begun` hears when, or why not."""
        self._backfill(BeginBackfillWork(sync_id, owner, begun))

    def end_copy(self, sync_id: int, owner: str | None, ended: Answer, *, final: bool = True) -> None:
        """Every chunk of a copy is merged, or will not come any more; `ended` hears when the table knows."""
        self._backfill(EndCopyWork(sync_id, owner, ended, final))

    def _backfill(self, work: BeginBackfillWork | EndCopyWork) -> None:
        served = self._book.served().get(work.sync_id)
        if served is not None:
            self._hand_over(served.destination_id, work)

    def copied(self, sync_id: int) -> None:
        """The whole copy of the table has ended, and the config database says so."""
        self._book.copied(sync_id)

    def fail(self, sync_id: int, error: RosettaError) -> None:
        """Writes down that a table failed, however long that takes, and passes it over from then on.

        Raises OutageError only when the process is told to stop before that was possible.
        """
        served = self._book.served().get(sync_id)
        failure = Failure(
            error.code,
            error.message,
            error.remedy or "Mend the cause, then set desired_state = 'RESYNC' on this table sync.",
        )
        if served is not None:
            self._book.note(sync_id, served.destination_id, TableSyncState.ERROR, failure)
        while True:
            try:
                self._catalog.tables.set_state(sync_id, TableSyncState.ERROR, failure)
                break
            except OutageError:
                if self._stopping.wait(_RETRY_SECONDS):
                    raise
        _log.error("table_failed", sync_id=sync_id, code=error.code, error=error.message)
        self._book.release(sync_id)
        self._post(lambda: self._awaiting.discard(sync_id))

    def hold(self, sync_id: int, error: RosettaError) -> None:
        """A table is refused as it is: it shows that, and goes on being served, because its changes wait."""
        served = self._book.served().get(sync_id)
        if served is None:
            return
        failure = Failure(error.code, error.message, error.remedy or _HELD_REMEDY)
        self._book.note(sync_id, served.destination_id, TableSyncState.ERROR, failure)
        _log.warning("table_held", sync_id=sync_id, code=error.code, error=error.message)
        self._post(lambda: self._show_held(sync_id, failure))

    def taken_again(self, sync_id: int) -> None:
        """Nothing of a held table waits any more."""
        served = self._book.served().get(sync_id)
        if served is None:
            return
        self._book.note(sync_id, served.destination_id, TableSyncState.STREAMING)
        _log.info("table_taken_again", sync_id=sync_id)

        def streams() -> None:
            if not self._book.failed(sync_id):
                self._catalog.tables.taken_again(sync_id)

        self._post(streams)

    def _show_held(self, sync_id: int, failure: Failure) -> None:
        if self._book.failed(sync_id):  # else it was taken again meanwhile
            self._catalog.tables.set_state(sync_id, TableSyncState.ERROR, failure)

    def _apply(
        self,
        destination: DestinationPlan,
        sync: TableSyncPlan,
        schema: TableSchema | None,
        target: TableId,
        conflict: bool,
    ) -> None:
        served = sync.sync_id in self._book.served()
        failed_since = self._book.failed(sync.sync_id) and sync.state is not TableSyncState.ERROR
        if failed_since or sync.sync_id in self._awaiting:
            return  # the plan was read before that
        pinned = sync.rules.columns is not None or sync.rules.custom_sql is not None
        if schema is not None and sync.policy is SchemaPolicy.IGNORE and not pinned:
            self._catalog.tables.pin_columns(sync.sync_id, schema.column_names)
            return  # the plan says so the next time, which is at once
        if schema is not None and sync.problem is None:
            sync = replace(sync, problem=self._rules.problem(sync.rules, schema))
        decision = decide(sync, schema, served=served, conflict=conflict)
        if decision.step is Step.PAUSE:
            self._release(sync.sync_id)
            self._catalog.tables.cancel_copy(sync.sync_id)
            self._set_state(sync.sync_id, destination.destination_id, TableSyncState.PAUSED)
        elif decision.step is Step.REFUSE:
            self._release(sync.sync_id)
            self._set_state(sync.sync_id, destination.destination_id, TableSyncState.ERROR, decision.failure)
        elif decision.step is Step.NOTHING or schema is None:
            if served and schema is not None:
                known = self._book.served()[sync.sync_id]
                now, heard = followed(known.target, schema, sync.policy)
                if heard is not None:
                    self._book.serve(sync.sync_id, replace(known, target=now))
                    self._hand_over(known.destination_id, FitWork(sync.sync_id, heard, sync.policy))
            elif not served:
                self._book.note(sync.sync_id, destination.destination_id, sync.state, _known_failure(sync, decision))
        else:
            self._serve(destination.destination_id, sync, schema, target, decision.step)

    def _serve(
        self, destination_id: int, sync: TableSyncPlan, schema: TableSchema, target: TableId, step: Step
    ) -> None:
        copying = step is not Step.STREAM
        rules = self._rules.make(sync.sync_id, sync.rules, schema, sync.mode)
        shape = schema if rules is None else rules.schema
        made = TableTarget(
            sync.sync_id, shape, target, sync.mode, sync.delete_mode, copying, rules, sync.policy, step is Step.COPY
        )
        self._book.serve(sync.sync_id, Served(destination_id, made))
        if sync.held and not copying:
            failure = Failure(sync.error_code or "ERROR", f"{sync.source} is refused as it is", _HELD_REMEDY)
            self._book.note(sync.sync_id, destination_id, TableSyncState.ERROR, failure)
        else:
            state = TableSyncState.COPYING if copying else TableSyncState.STREAMING
            self._book.note(sync.sync_id, destination_id, state)
        kind = CopyKind.INITIAL if sync.state in {TableSyncState.PENDING, TableSyncState.COPYING} else CopyKind.RESYNC

        def copy() -> None:
            self._awaiting.discard(sync.sync_id)
            self._catalog.tables.begin_copy(sync.sync_id, kind, expected=sync.state, anew=step is Step.COPY)

        def prepared(_: TableTarget) -> None:
            if copying:
                self._post(copy)

        if copying:
            self._awaiting.add(sync.sync_id)
        self._hand_over(destination_id, PrepareWork(made, prepared, anew=step is Step.COPY))

    def _release(self, sync_id: int) -> None:
        served = self._book.release(sync_id)
        if served is not None:
            self._hand_over(served.destination_id, ReleaseWork(sync_id))

    def _set_state(
        self, sync_id: int, destination_id: int, state: TableSyncState, failure: Failure | None = None
    ) -> None:
        self._catalog.tables.set_state(sync_id, state, failure)
        self._book.note(sync_id, destination_id, state, failure)


def target_table(destination: DestinationPlan, sync: TableSyncPlan) -> TableId:
    """Where a sync's rows go."""
    schema = sync.target_schema or destination.default_schema or sync.source.schema
    return TableId(schema, sync.target_name or sync.source.name)


def _known_failure(sync: TableSyncPlan, decision: Decision) -> Failure | None:
    if sync.state is not TableSyncState.ERROR:
        return None
    return decision.failure or Failure(sync.error_code or "ERROR", f"{sync.source} needs a resync")
