"""PipelineManager: keeps one process per wanted pipeline, from what the config database says and what it sees."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.catalog.listener import ConfigListener
from compute.core.catalog.wishes import Garbage
from compute.core.child import run_child
from compute.core.cleanup import CleanupWorker
from compute.core.declarations import Declarations
from compute.core.exit_codes import ExitCode, Failure, policy_of
from compute.core.plaintext import PlaintextSecrets
from compute.core.process import ChildSpec, Ending, PipelineProcess
from compute.core.reconcile import ActionKind, Child, Waiting, Wish, reconcile
from compute.core.sharing import Sharing
from compute.core.slot_guard import SlotGuard
from compute.core.supervision import Supervised, SupervisorView
from compute.verify.worker import VerifyWorker
from rosetta.enums import DesiredStatus, HealthStatus, ObservedStatus
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_STABLE_SECONDS = 60.0  # a run of this length forgives the failures before it
_TICK_SECONDS = 1.0
_VERIFY_SECONDS = 2.0  # a verification is broken off at once; a moment to say so
_LARGEST_HEAP_SCALE = 8
_POLLS_APART_SECONDS = 0.2  # a burst of notifications is one poll
_RELOADING_TABLES = frozenset({"destinations", "pipeline_destinations", "table_syncs", "queue_backfill_data"})
_log = get_logger("compute.manager")


class PipelineManager:
    """The supervisor's loop.

    `run` holds the calling thread (the main one: children die with the thread that started them); `stop` and
    `view` may be used from any thread and from a signal handler.

    Promises: nothing is started or stopped because of a poll that failed; all starts of one poll go in
    parallel; a pipeline that fails is started again with a growing, jittered delay that no other notices.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        instance_id: str,
        entry: Callable[[ChildSpec, Connection], None] = run_child,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """`prepare` brings the config database to this version's schema; it is done before the first poll."""
        self._settings = settings
        self._catalog = catalog
        self._instance_id = instance_id
        self._entry = entry
        self._prepare = prepare
        self._listener = ConfigListener(catalog.database)
        self._plaintext = PlaintextSecrets(catalog)
        self._sharing = Sharing(catalog, instance_id, settings.drain_seconds)
        self._cleanup = CleanupWorker(catalog, settings)
        self._verify = VerifyWorker(settings, catalog, instance_id)
        self._slot_guard = SlotGuard(catalog, settings.slot_check_seconds)
        self._pipelines: dict[int, Supervised] = {}
        self._declarations = Declarations(catalog)
        self._garbage: dict[int, Failure] = {}
        self._wake_reader, self._wake_writer = os.pipe()
        self._stopping = False
        self._poll_at = self._polled = 0.0
        self._polled_at: datetime | None = None
        self._unreachable: tuple[datetime, str] | None = None
        self.view = self._look()

    def run(self) -> None:
        """Supervises until `stop`, then drains and ends every process and gives the leases back."""
        self._cleanup.start()
        self._verify.start()
        self._slot_guard.start()
        try:
            while not self._stopping:
                self._pass()
        finally:
            self._shut_down()

    def stop(self) -> None:
        """Makes `run` return; safe in a signal handler."""
        self._stopping = True
        os.write(self._wake_writer, b".")

    # -- one pass ---------------------------------------------------------------------------------

    def _pass(self) -> None:
        self._wait(min(_TICK_SECONDS, max(0.0, self._poll_at - time.monotonic())))
        heard = self._listener.drain()
        if heard:
            self._poll_soon()
            self._cleanup.wake()
            self._verify.wake()
        if heard & _RELOADING_TABLES:
            for process in self._processes():
                process.reload()
        self._watch()
        if time.monotonic() >= self._poll_at and not self._stopping:
            self._poll()
        self.view = self._look()

    def _wait(self, timeout_seconds: float) -> None:
        waitables: list[Connection | int] = [self._wake_reader, *self._listener.waitables]
        for process in self._processes():
            waitables += process.waitables
        wait(waitables, timeout_seconds)

    def _poll_soon(self) -> None:
        self._poll_at = min(self._poll_at, max(time.monotonic(), self._polled + _POLLS_APART_SECONDS))

    def _watch(self) -> None:
        for pipeline_id, one in self._pipelines.items():
            if one.process is None:
                continue
            one.process.tick(self._settings.stuck_seconds, self._settings.startup_seconds)
            ending = one.process.ending()
            if ending is not None:
                self._ended(pipeline_id, one, ending)
        self._declarations.write()

    def _ended(self, pipeline_id: int, one: Supervised, ending: Ending) -> None:
        one.process = None
        self._poll_soon()
        if ending.asked_for:
            one.failures, one.last_ending = 0, None
            _log.info("pipeline_process_stopped", pipeline_id=pipeline_id, exit_code=int(ending.code))
            return
        one.failures = 1 if ending.streamed_seconds >= _STABLE_SECONDS else one.failures + 1
        one.last_ending = ending
        if ending.code == ExitCode.OUT_OF_MEMORY:
            one.heap_scale = min(one.heap_scale * 2, _LARGEST_HEAP_SCALE)
        policy = policy_of(ending.code, streamed=ending.streamed_seconds > 0)
        delay_seconds = policy.backoff.delay_seconds(one.failures)
        one.waiting = None if one.served is None else Waiting(one.served, time.monotonic() + delay_seconds)
        self._declarations.add(pipeline_id, policy.status, policy.health, ending.failure, restarts=1)
        _log.warning(
            "pipeline_process_failed",
            pipeline_id=pipeline_id,
            exit_code=ending.code,
            error_code=ending.failure.code,
            error=ending.failure.message,
            restart_in_seconds=round(delay_seconds, 2),
        )

    # -- the poll ---------------------------------------------------------------------------------

    def _poll(self) -> None:
        self._polled = time.monotonic()
        # Twice in the time of a lease others must hear of us, and we of what they have left.
        self._poll_at = self._polled + min(self._settings.poll_seconds, self._settings.lease_seconds / 3)
        try:
            if self._prepare is not None:
                self._prepare()
                self._prepare = None
            self._listener.ensure()
            self._sharing.attend(self._pipelines)
            self._plaintext.seal()
            reading = self._catalog.wishes.read()
            self._unreachable, self._polled_at = None, datetime.now(UTC)
            wishes, give = self._sharing.look(reading, self._pipelines)
            self._remember(wishes, reading.garbage)
            self._reconcile(wishes)
            if give is not None:
                self._sharing.give(give, self._pipelines[give])
        except RosettaError as error:
            if self._unreachable is None:
                _log.error("config_database_unreachable", error=error.message)
                self._unreachable = (datetime.now(UTC), error.message)
        due = [one.waiting.until for one in self._pipelines.values() if one.waiting is not None]
        self._poll_at = min([self._poll_at, *(max(until, self._polled + _POLLS_APART_SECONDS) for until in due)])

    def _remember(self, wishes: Iterable[Wish], garbage: Iterable[Garbage]) -> None:
        wanted = {wish.pipeline_id: wish for wish in wishes}
        for pipeline_id, wish in wanted.items():
            one = self._pipelines.setdefault(pipeline_id, Supervised())
            one.wish = wish
            if wish.elsewhere and one.process is None:
                one.served = None
        broken = {row.pipeline_id: row.failure for row in garbage}
        for pipeline_id, failure in broken.items():
            if self._garbage.get(pipeline_id) != failure:
                self._declarations.add(pipeline_id, ObservedStatus.FAILED, HealthStatus.ERROR, failure)
        self._garbage = broken
        for pipeline_id, one in self._pipelines.items():
            # What an unreadable row wants is not known, so whatever runs goes on.
            if pipeline_id not in wanted and pipeline_id not in broken:
                one.wish = None
        self._declarations.write()

    def _reconcile(self, wishes: list[Wish]) -> None:
        known = {key: one for key, one in self._pipelines.items() if key not in self._garbage}
        children = {
            key: Child(one.served, one.process.stopping)
            for key, one in known.items()
            if one.process is not None and one.served is not None
        }
        waiting = {key: one.waiting for key, one in known.items() if one.waiting is not None}
        gone = known.keys() - {wish.pipeline_id for wish in wishes} - children.keys() - waiting.keys()
        for action in reconcile(wishes, children, waiting, time.monotonic()):
            one = self._pipelines[action.pipeline_id]
            if action.kind is ActionKind.START and one.wish is not None:
                self._start(one, one.wish)
            elif action.kind is ActionKind.STOP and one.process is not None:
                one.process.stop(self._settings.drain_seconds)
            elif action.kind is ActionKind.SETTLE:
                self._settle(action.pipeline_id, one)
            elif action.kind is ActionKind.FORGET:
                gone |= {action.pipeline_id}
        for one in known.values():
            if one.wish is not None and one.served is not None and not one.wish.rebuilds(one.served):
                one.served = one.wish  # destinations that joined or left are the process's own affair
        for pipeline_id in gone:
            if self._pipelines.pop(pipeline_id).served is not None:
                self._cleanup.released(pipeline_id)

    def _start(self, one: Supervised, wish: Wish) -> None:
        epoch = self._catalog.leases.acquire(wish.pipeline_id)
        if epoch is None:
            return
        if wish.status is DesiredStatus.REFRESH:
            self._catalog.wishes.refreshed(wish.pipeline_id)
        if one.failures == 0:  # after a failure its status and reason stay until the stream runs again
            status = ObservedStatus.RESTARTING if wish.status is DesiredStatus.REFRESH else ObservedStatus.STARTING
            self._catalog.observations.declare(wish.pipeline_id, status, HealthStatus.UNKNOWN)
        spec = ChildSpec(wish.pipeline_id, wish.name, epoch, self._instance_id, self._settings, one.heap_scale)
        one.process, one.served, one.waiting = PipelineProcess(spec, self._entry), wish, None
        one.process.start()
        _log.info("pipeline_process_started", pipeline_id=wish.pipeline_id, pid=one.process.pid, epoch=epoch)

    def _settle(self, pipeline_id: int, one: Supervised) -> None:
        # In this order: whoever sees PAUSED may count on it that nobody holds the pipeline any more.
        if not self._catalog.leases.release(pipeline_id):
            return
        self._catalog.observations.declare(pipeline_id, ObservedStatus.PAUSED, HealthStatus.UNKNOWN)
        one.waiting, one.failures, one.last_ending = None, 0, None

    # -- the rest ---------------------------------------------------------------------------------

    def _processes(self) -> list[PipelineProcess]:
        return [one.process for one in self._pipelines.values() if one.process is not None]

    def _look(self) -> SupervisorView:
        now = time.monotonic()
        return SupervisorView(
            instance_id=self._instance_id,
            polled_at=self._polled_at,
            unreachable_since=self._unreachable[0] if self._unreachable else None,
            unreachable_reason=self._unreachable[1] if self._unreachable else None,
            pipelines=tuple(one.describe(key, now) for key, one in sorted(self._pipelines.items())),
        )

    def _shut_down(self) -> None:
        self._cleanup.stop()
        self._verify.stop()
        self._slot_guard.stop()
        running = [key for key, one in self._pipelines.items() if one.process is not None]
        for process in self._processes():
            process.stop(self._settings.drain_seconds)
        while self._processes():
            self._wait(0.2)
            self._watch()
        for pipeline_id in running:
            if pipeline_id not in self._declarations:
                self._declarations.add(pipeline_id, ObservedStatus.RESTARTING, HealthStatus.UNKNOWN)
        self._declarations.write()
        self._verify.join(_VERIFY_SECONDS)
        try:
            self._catalog.leases.leave()
        except RosettaError as error:  # they expire by themselves
            _log.warning("leases_not_released", error=error.message)
        self._listener.close()
        self._plaintext.close()
