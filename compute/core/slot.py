"""The pipeline's replication slot: made once, never silently a second time, and watched while it is in use."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import psycopg2
import structlog

from compute.core.catalog import Catalog
from compute.core.catalog.plan import PipelinePlan
from compute.sources.postgres import PostgresSource, SlotInfo
from rosetta.errors import ConfigurationError, OutageError, ResyncRequiredError
from rosetta.lsn import Lsn
from rosetta.postgres import connect, translate_error
from rosetta.preflight import check_source, source_facts_sql

_WATCH_SECONDS = 5.0
_LAST_WORD_SECONDS = 1.5
_RELEASE_SECONDS = 8.0
_log = structlog.get_logger("compute.slot")


@dataclass(frozen=True, slots=True)
class SlotView:
    """The slot as the source last showed it. `wal_bytes`: what it makes the source retain."""

    current: Lsn | None = None
    wal_bytes: int | None = None


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


def claim_slot(catalog: Catalog, plan: PipelinePlan, source: PostgresSource) -> Lsn:
    """The position from which the slot delivers; makes the slot for a pipeline that never had one.

    Raises:
        ResyncRequiredError: the pipeline had a slot, and what is there now would leave a gap.
        OutageError: source or config database cannot be reached.
    """
    identifier = source.system_identifier()
    if plan.acknowledged is None:
        return _make_slot(catalog, plan, source, identifier)
    if plan.system_identifier is not None and plan.system_identifier != identifier:
        raise ResyncRequiredError(
            "the source is another cluster than the one this pipeline was copied from",
            code="OTHER_CLUSTER",
            remedy="Point the source back to the old cluster, or make a new pipeline for the new one.",
        )
    return usable(_released_slot(source, plan.slot), plan)


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


def usable(slot: SlotInfo | None, plan: PipelinePlan) -> Lsn:
    """The confirmed position of a slot that can go on. Raises ResyncRequiredError for any other."""
    remedy = (
        f"UPDATE pipelines SET acknowledged_lsn = NULL, status = 'REFRESH' WHERE id = {plan.pipeline_id}; "
        "then Rosetta makes a new slot and copies every table again."
    )
    if slot is None:
        raise ResyncRequiredError(f"slot {plan.slot} does not exist any more", code="SLOT_MISSING", remedy=remedy)
    if slot.lost or slot.confirmed_flush is None:
        raise ResyncRequiredError(
            f"slot {plan.slot} is lost: the source has removed WAL that it needs", code="SLOT_LOST", remedy=remedy
        )
    # Whether it has moved beyond a destination is told by the destinations' own progress (see `Resumption`).
    return slot.confirmed_flush


def _make_slot(catalog: Catalog, plan: PipelinePlan, source: PostgresSource, identifier: str) -> Lsn:
    catalog.plans.name_slot(plan.pipeline_id, plan.slot)
    catalog.tables.copy_all_again(plan.pipeline_id)
    slot = source.slot(plan.slot)
    if slot is not None and slot.lost:
        source.drop_slot(plan.slot)
        slot = None
    confirmed = source.create_slot(plan.slot) if slot is None or slot.confirmed_flush is None else slot.confirmed_flush
    catalog.plans.slot_created(plan.pipeline_id, confirmed, plan.source_id, identifier)
    _log.info("slot_ready", slot=plan.slot, confirmed=str(confirmed))
    return confirmed


class SlotWatch:
    """A thread that looks at the slot every few seconds; a lost slot ends the process by the error it raises."""

    def __init__(self, source: PostgresSource, plan: PipelinePlan) -> None:
        self._source = source
        self._plan = plan
        self._ended = threading.Event()
        self._silent = False
        self.view = SlotView()
        self._thread = threading.Thread(target=self._run, name="slot-watch", daemon=True)

    def start(self) -> None:
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
        slot = self._source.slot(self._plan.slot)
        if self._ended.is_set():
            return
        usable(slot, self._plan)
        self.view = SlotView(self._source.current_lsn(), None if slot is None else slot.retained_bytes)
