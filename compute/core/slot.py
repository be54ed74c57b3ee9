"""The pipeline's replication slot: made once, never silently a second time, and watched while it is in use."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from functools import partial

import psycopg2

from compute.core.catalog import Catalog
from compute.core.catalog.plan import PipelinePlan
from compute.core.slot_state import KnownSlot, check_log, usable
from compute.core.slot_wait import told
from compute.sources.postgres import PostgresSource, SlotInfo, Survey, branch_point
from rosetta.errors import ConfigurationError, OutageError
from rosetta.logs import get_logger
from rosetta.lsn import Lsn
from rosetta.postgres import connect, translate_error
from rosetta.preflight import check_source, source_facts_sql

_WATCH_SECONDS = 5.0
_LAST_WORD_SECONDS = 1.5
_LOOK_AGAIN_SECONDS = 0.2
_AWAY = frozenset({"CONNECTION_REFUSED", "CONNECTION_FAILED"})  # a server that is being started again is like that
_RELEASE_SECONDS = 8.0
_log = get_logger("compute.slot")


@dataclass(frozen=True, slots=True)
class SlotView:
    """The slot as the source last showed it.

    Attributes:
        wal_bytes: what it makes the source retain.
        seen_at: monotonic time of that answer; of the first question before there was one.
    """

    current: Lsn | None = None
    wal_bytes: int | None = None
    seen_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the slot delivers from, and where the source's log ended when that was asked."""

    confirmed: Lsn
    log_end: Lsn


def check_source_ready(plan: PipelinePlan) -> None:
    """Looks for what would keep the stream from working. Raises ConfigurationError with the first such finding."""
    connection = connect(plan.endpoint, application="rosetta preflight", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(source_facts_sql(plan.publication, plan.slot))
            row = cursor.fetchone()
    except psycopg2.Error as error:
        raise translate_error(error, "checking the source") from None
    finally:
        connection.close()
    for finding in check_source(row[0] if row else "{}"):
        # Tables have states of their own, and one that cannot be replicated stops no other.
        if finding.severity == "error" and finding.table is None:
            remedy = " ".join(filter(None, (finding.remedy, finding.sql)))
            raise ConfigurationError(finding.detail, code=finding.code, remedy=remedy or None)


def await_source(plan: PipelinePlan, patience_seconds: float) -> None:
    """`check_source_ready`, for so long again as nothing answers there.

    A process that waits goes on the moment its source is back; one that ended would have to be started first.
    """
    until = time.monotonic() + patience_seconds
    while True:
        try:
            return check_source_ready(plan)
        except OutageError as error:
            if error.code not in _AWAY or time.monotonic() >= until:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def known_slot(plan: PipelinePlan) -> KnownSlot:
    """What the plan tells of its slot."""
    positions = [plan.acknowledged, *(destination.reported for destination in plan.destinations)]
    reached = max((position for position in positions if position is not None), default=None)
    return KnownSlot(plan.pipeline_id, plan.slot, plan.origin, reached, plan.dropped_for)


def claim_slot(catalog: Catalog, plan: PipelinePlan, source: PostgresSource) -> Claim:
    """The position from which the slot delivers; makes the slot for a pipeline that never had one.

    Raises:
        ResyncRequiredError: the pipeline had a slot, and what is there now would leave a gap.
        OutageError: source or config database cannot be reached.
    """
    known, survey = known_slot(plan), source.survey([plan.slot])
    check_log(survey, known, partial(branch_point, source.endpoint))
    if plan.acknowledged is None:
        return Claim(_make_slot(catalog, plan, source, survey), source.current_lsn())
    confirmed = usable(_released_slot(source, plan.slot), known)
    if plan.origin != survey.origin:
        catalog.plans.followed(plan.pipeline_id, survey.origin)
    return Claim(confirmed, survey.current)


def _released_slot(source: PostgresSource, name: str) -> SlotInfo | None:
    """The slot once nobody streams it.

    A process that was just killed may have its last word still under way. One that was stopped, or whose machine
    is gone, would hold the slot until the server's own timeout: the lease is ours, so its stream is ended.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    end_at = time.monotonic() + _LAST_WORD_SECONDS
    slot = source.slot(name)
    while slot is not None and slot.active_pid is not None and time.monotonic() < deadline:
        if time.monotonic() >= end_at:
            source.end_stream(name)
            end_at = deadline
        time.sleep(0.05)
        slot = source.slot(name)
    return slot


def _make_slot(catalog: Catalog, plan: PipelinePlan, source: PostgresSource, survey: Survey) -> Lsn:
    catalog.plans.name_slot(plan.pipeline_id, plan.slot)
    catalog.tables.copy_all_again(plan.pipeline_id)
    slot = survey.slots.get(plan.slot)
    if slot is not None and slot.lost:
        source.drop_slot(plan.slot)
        slot = None
    if slot is None or slot.confirmed_flush is None:
        with told(catalog, plan, source):
            confirmed = source.create_slot(plan.slot, failover=plan.failover)
    else:
        confirmed = slot.confirmed_flush
    catalog.plans.slot_created(plan.pipeline_id, confirmed, plan.source_id, survey.origin)
    _log.info("slot_ready", slot=plan.slot, confirmed=str(confirmed))
    return confirmed


class SlotWatch:
    """A thread that looks at the slot every few seconds; a lost slot ends the process by the error it raises."""

    def __init__(self, source: PostgresSource, plan: PipelinePlan) -> None:
        self._source = source
        self._known = replace(known_slot(plan), dropped_for=None)
        self._ended = threading.Event()
        self._silent = False
        self.view = SlotView()
        self._thread = threading.Thread(target=self._run, name="slot-watch", daemon=True)

    def start(self) -> None:
        self.view = SlotView()
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._look()
                self._silent = False
            except OutageError as error:  # the engine notices by itself; a look is not worth a restart
                if not self._silent:
                    _log.warning("source_not_seen", code=error.code, error=error.message)
                self._silent = True
            self._ended.wait(_WATCH_SECONDS)

    def _look(self) -> None:
        survey = self._source.survey([self._known.name])
        slot = survey.slots.get(self._known.name)
        if self._ended.is_set():
            return
        check_log(survey, self._known, partial(branch_point, self._source.endpoint))
        confirmed = usable(slot, self._known)
        # What the slot lets go of every destination holds: a log that ends before that has lost its end.
        self._known = replace(
            self._known, origin=survey.origin, reached=max(self._known.reached or confirmed, confirmed)
        )
        self.view = SlotView(survey.current, None if slot is None else slot.retained_bytes)
