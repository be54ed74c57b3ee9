"""What a person is told about retained WAL: how much, why, how long it can go on, and what to do."""

from __future__ import annotations

from compute.core.catalog.slots import WatchedSlot
from compute.core.wal_budget import WalLevel, WalVerdict
from compute.sources.postgres import SlotInfo, Survey
from rosetta.enums import WalBudgetPolicy

_LONG_SECONDS = 60.0
_AT_BUDGET = {
    WalBudgetPolicy.WARN: "Nothing is done at the budget but to say so (wal_budget_policy = warn).",
    WalBudgetPolicy.PAUSE: "At the budget the destinations that hold the slot back are suspended (wal_budget_policy = "
    "pause); while the pipeline itself is paused or cannot run there is none, and the WAL goes on growing.",
    WalBudgetPolicy.DROP_SLOT: "At the budget the slot is dropped, and every table is copied again after a resync "
    "(wal_budget_policy = drop_slot).",
}


def describe_wal(
    one: WatchedSlot, slot: SlotInfo, survey: Survey, verdict: WalVerdict, done: str | None
) -> tuple[str, str, str | None]:
    """Title, message and remedy of a notification."""
    reached = verdict.level is WalLevel.REACHED
    title = f"Pipeline {one.pipeline} {'has used up its WAL budget' if reached else 'retains much WAL'}"
    parts = [
        f"Slot {one.known.name} makes the source retain {_size(verdict.retained_bytes)}"
        + (f" of {_size(verdict.limit_bytes)}." if verdict.limit_bytes is not None else ".")
    ]
    if verdict.seconds_left is not None and not reached:
        parts.append(f"As it grows now, the limit is reached in {_span(verdict.seconds_left)}.")
    parts.append(_cause(one, slot, survey))
    if one.budget_bytes is None:
        parts.append("Beyond it the source drops the WAL (max_slot_wal_keep_size) and the slot is lost.")
    parts.append(done or (_AT_BUDGET[one.policy] if one.budget_bytes is not None else ""))
    return title, " ".join(filter(None, parts)), _remedy(one, done)


def _cause(one: WatchedSlot, slot: SlotInfo, survey: Survey) -> str:
    if one.at_rest:
        return "The pipeline is paused."
    oldest = survey.oldest_transaction_seconds
    if oldest is not None and oldest >= _LONG_SECONDS:
        return f"A transaction at the source has been open for {_span(oldest)}, and WAL is kept from its beginning."
    return "" if slot.active_pid is not None else "No process reads the slot."


def _remedy(one: WatchedSlot, done: str | None) -> str | None:
    if done is not None:
        return None
    pipeline_id = one.known.pipeline_id
    start = f"UPDATE pipelines SET status = 'START' WHERE id = {pipeline_id}; or " if one.at_rest else ""
    return f"{start}raise the budget: UPDATE pipelines SET wal_budget_bytes = ... WHERE id = {pipeline_id};"


def _size(value: int | None) -> str:
    return f"{(value or 0) / 1e6:,.0f} MB"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
