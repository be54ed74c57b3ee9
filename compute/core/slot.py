"""The pipeline's replication slot: made once, never silently a second time, and watched while it is in use."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog

from compute.core.catalog import Catalog
from compute.core.catalog.plan import PipelinePlan
from compute.sources.postgres.source import PostgresSource, SlotInfo
from rosetta.errors import OutageError, ResyncRequiredError
from rosetta.lsn import Lsn

_WATCH_SECONDS = 5.0
_log = structlog.get_logger("compute.slot")


@dataclass(frozen=True, slots=True)
class SlotView:
    """The slot as the source last showed it. `wal_bytes`: what it makes the source retain."""

    current: Lsn | None = None
    wal_bytes: int | None = None


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
    return usable(source.slot(plan.slot), plan)


def usable(slot: SlotInfo | None, plan: PipelinePlan) -> Lsn:
    """The confirmed position of a slot that can go on. Raises ResyncRequiredError for any other."""
    remedy = (
        f"UPDATE pipelines SET acknowledged_lsn = NULL, status = 'REFRESH' WHERE id = {plan.pipeline_id}; "
        "then Rosetta makes a new slot and copies every table again."
    )
    if slot is None:
        raise ResyncRequiredError(f"slot {plan.slot} does not exist any more", code="SLOT_MISSING", remedy=remedy)
    if slot.wal_status == "lost" or slot.confirmed_flush is None:
        raise ResyncRequiredError(
            f"slot {plan.slot} is lost: the source has removed WAL that it needs", code="SLOT_LOST", remedy=remedy
        )
    if plan.acknowledged is not None and slot.confirmed_flush > plan.acknowledged:
        # Our note of it may be a few seconds old; the destinations' own progress decides (see `Resumption`).
        _log.info("slot_ahead_of_note", slot=plan.slot, confirmed=str(slot.confirmed_flush))
    return slot.confirmed_flush


def _make_slot(catalog: Catalog, plan: PipelinePlan, source: PostgresSource, identifier: str) -> Lsn:
    catalog.plans.name_slot(plan.pipeline_id, plan.slot)
    catalog.tables.copy_all_again(plan.pipeline_id)
    slot = source.slot(plan.slot)
    if slot is not None and (slot.wal_status == "lost" or slot.confirmed_flush is None):
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
        current = self._source.current_lsn()
        held = slot.restart_lsn if slot is not None else None
        self.view = SlotView(current, None if held is None else max(0, int(current) - int(held)))
