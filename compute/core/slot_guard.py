"""Looks at the slots from outside the pipelines' processes: a slot costs its source WAL also while nothing runs."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from compute.core.catalog import Catalog
from compute.core.catalog.notices import Notice
from compute.core.catalog.slots import WatchedSlot
from compute.core.exit_codes import Failure
from compute.core.slot_state import check_log, usable
from compute.core.wal_budget import WalLevel, WalTrend, WalVerdict, judge_wal
from compute.core.wal_notices import describe_wal
from compute.sources.postgres import PostgresSource, SlotInfo, Survey, branch_point
from rosetta.enums import Severity, WalBudgetPolicy
from rosetta.errors import ResyncRequiredError, RosettaError
from rosetta.logs import get_logger

_LOST_CODES = ["SLOT_MISSING", "SLOT_LOST", "SLOT_DROPPED", "OTHER_CLUSTER", "SOURCE_WENT_BACK"]
_SOURCES_AT_ONCE = 4
_RENEW_SECONDS = 300.0
_log = get_logger("compute.slots")


class SlotGuard:
    """A thread of the supervisor.

    Promises: a slot that is lost while its pipeline is paused is shown within two intervals; retained WAL is
    warned of before the budget, or what the server keeps, is used up; at the budget the policy acts, whether the
    pipeline runs, fails or is paused. A source that does not answer delays its own pipelines only.
    """

    def __init__(self, catalog: Catalog, interval_seconds: float) -> None:
        self._catalog = catalog
        self._interval_seconds = interval_seconds
        self._ended = threading.Event()
        self._seen: dict[int, _Seen] = {}
        self._silent: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="slot-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        with ThreadPoolExecutor(_SOURCES_AT_ONCE, thread_name_prefix="slot-guard") as sources:
            while not self._ended.wait(self._interval_seconds):
                try:
                    watched = self._catalog.slots.watched()
                except RosettaError as error:  # the supervisor says that the config database is away
                    _log.debug("slots_not_read", error=error.message)
                    continue
                self._seen = {one.known.pipeline_id: self._seen.get(one.known.pipeline_id, _Seen()) for one in watched}
                by_source: dict[int, list[WatchedSlot]] = defaultdict(list)
                for one in watched:
                    by_source[one.source_id].append(one)
                list(sources.map(self._look_at_source, by_source.keys(), by_source.values()))

    def _look_at_source(self, source_id: int, watched: Iterable[WatchedSlot]) -> None:
        try:
            with closing(PostgresSource(self._catalog.plans.endpoint(source_id), "")) as source:
                survey = source.survey([one.known.name for one in watched])
                for one in watched:
                    self._look(source, survey, one)
            self._silent.discard(source_id)
        except RosettaError as error:
            if source_id not in self._silent:
                _log.warning("source_not_seen", source_id=source_id, code=error.code, error=error.message)
            self._silent.add(source_id)

    def _look(self, source: PostgresSource, survey: Survey, one: WatchedSlot) -> None:
        slot = survey.slots.get(one.known.name)
        try:
            check_log(survey, one.known, partial(branch_point, source.endpoint))
            usable(slot, one.known)
        except ResyncRequiredError as error:
            if one.at_rest:
                self._lost(one, error)
            return
        if slot is None or slot.retained_bytes is None:
            return
        if one.at_rest:
            self._catalog.slots.found(one.known.pipeline_id, slot.retained_bytes, _LOST_CODES)
        self._catalog.slots.resolve(_lost_key(one))
        self._weigh(source, survey, slot, one)

    def _lost(self, one: WatchedSlot, error: ResyncRequiredError) -> None:
        title = f"Pipeline {one.pipeline} cannot go on"
        notice = _notice(one, "SLOT_LOST", _lost_key(one), Severity.CRITICAL, (title, error.message, error.remedy))
        if self._catalog.slots.lost(one.known.pipeline_id, Failure.of(error), notice):
            _log.warning("slot_lost", pipeline_id=one.known.pipeline_id, code=error.code, error=error.message)

    # -- retained WAL -----------------------------------------------------------------------------

    def _weigh(self, source: PostgresSource, survey: Survey, slot: SlotInfo, one: WatchedSlot) -> None:
        now, seen = time.monotonic(), self._seen[one.known.pipeline_id]
        retained_bytes = slot.retained_bytes or 0
        seen.trend.add(now, retained_bytes)
        verdict = judge_wal(
            retained_bytes,
            budget_bytes=one.budget_bytes,
            safe_bytes=slot.safe_bytes,
            growth=seen.trend.growth(),
            before=seen.level,
        )
        done = self._act(source, one, verdict) if verdict.level is WalLevel.REACHED else None
        if verdict.level is not seen.level or done is not None or now - seen.told_at >= _RENEW_SECONDS:
            self._report(one, slot, survey, verdict, done)
            seen.level, seen.told_at = verdict.level, now

    def _act(self, source: PostgresSource, one: WatchedSlot, verdict: WalVerdict) -> str | None:
        """Does what the policy says at the budget; what it did, in words, when that is news."""
        pipeline_id = one.known.pipeline_id
        reason = f"it retained {verdict.retained_bytes} bytes of WAL, its budget is {one.budget_bytes}"
        if one.policy is WalBudgetPolicy.DROP_SLOT:
            self._catalog.slots.dropped(pipeline_id, reason)
            source.drop_slot(one.known.name, end_walsender=True)
            _log.warning("slot_dropped", pipeline_id=pipeline_id, slot=one.known.name, reason=reason)
            return "Its slot was dropped to save the source; every table has to be copied again."
        if one.policy is WalBudgetPolicy.PAUSE and not one.at_rest:
            detached = self._catalog.slots.detach_holders(pipeline_id, f"suspended: {reason}")
            if detached:
                _log.warning("destinations_detached", pipeline_id=pipeline_id, destinations=detached, reason=reason)
                named = ", ".join(map(str, detached))
                return f"Destination {named}, which held the slot back, was suspended and needs a resync."
        return None

    def _report(self, one: WatchedSlot, slot: SlotInfo, survey: Survey, verdict: WalVerdict, done: str | None) -> None:
        if verdict.level is WalLevel.CALM:
            self._catalog.slots.resolve(_wal_key(one))
            return
        severity = Severity.CRITICAL if verdict.level is WalLevel.REACHED else Severity.WARNING
        words = describe_wal(one, slot, survey, verdict, done)
        self._catalog.slots.tell(_notice(one, "WAL_BUDGET", _wal_key(one), severity, words))


def _notice(one: WatchedSlot, kind: str, key: str, severity: Severity, words: tuple[str, str, str | None]) -> Notice:
    title, message, remedy = words
    return Notice(kind, severity, key, one.known.pipeline_id, title, message, remedy, one.source_id)


class _Seen:
    """What is remembered of a slot between two looks."""

    def __init__(self) -> None:
        self.trend = WalTrend()
        self.level = WalLevel.CALM
        self.told_at = float("-inf")  # a former instance may have told what is over now


def _wal_key(one: WatchedSlot) -> str:
    return f"wal-budget:{one.known.pipeline_id}"


def _lost_key(one: WatchedSlot) -> str:
    return f"slot-lost:{one.known.pipeline_id}"
