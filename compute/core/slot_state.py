"""Whether a slot and the log under it can still go on where a pipeline stopped. Pure; used wherever a slot is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compute.sources.postgres import Origin, SlotInfo, Survey
from rosetta.errors import OutageError, ResyncRequiredError
from rosetta.lsn import Lsn


@dataclass(frozen=True, slots=True)
class KnownSlot:
    """What is known of a pipeline's slot.

    Attributes:
        origin: the log that `reached` lies on; None before there was a slot.
        reached: the newest position that any destination, or all of them, said they hold.
        dropped_for: why Rosetta itself has dropped it.
    """

    pipeline_id: int
    name: str
    origin: Origin | None
    reached: Lsn | None
    dropped_for: str | None = None


def usable(slot: SlotInfo | None, known: KnownSlot) -> Lsn:
    """The confirmed position of a slot that can go on. Raises ResyncRequiredError for any other."""
    if slot is None and known.dropped_for is not None:
        raise ResyncRequiredError(
            f"slot {known.name} was dropped: {known.dropped_for}",
            code="SLOT_DROPPED",
            remedy=begin_again(known.pipeline_id),
        )
    if slot is None:
        raise ResyncRequiredError(
            f"slot {known.name} does not exist any more", code="SLOT_MISSING", remedy=begin_again(known.pipeline_id)
        )
    if slot.lost or slot.confirmed_flush is None:
        raise ResyncRequiredError(
            f"slot {known.name} is lost: the source has removed WAL that it needs",
            code="SLOT_LOST",
            remedy=begin_again(known.pipeline_id),
        )
    # Whether it has moved beyond a destination is told by the destinations' own progress (see `Resumption`).
    return slot.confirmed_flush


def check_log(survey: Survey, known: KnownSlot, branch_point: Callable[[int, int], Lsn | None]) -> None:
    """Checks that the source's log is the one that the destinations were fed from, as far as they were.

    Args:
        branch_point: where a timeline (the second) left another (the first), or None when it never was part of it.

    Raises:
        ResyncRequiredError: it is another cluster, or one restored to a moment before what the destinations hold:
            positions of the old log would make new changes look as if they were there already.
        OutageError: it is a standby that has not replayed as much yet, as after its own restart.
    """
    origin, now = known.origin, survey.origin
    if origin is None:
        return
    if now.system_identifier != origin.system_identifier:
        raise ResyncRequiredError(
            "the source is another cluster than the one this pipeline was copied from",
            code="OTHER_CLUSTER",
            remedy=_make_anew(known),
        )
    if known.reached is None:
        return
    if now.timeline != origin.timeline:
        branched = branch_point(origin.timeline, now.timeline)
        if branched is None or branched < known.reached:
            where = "another history" if branched is None else f"what it was at {branched}"
            raise _went_back(known, f"it goes on from {where}")
    if survey.current < known.reached and survey.on_standby:
        raise OutageError(
            f"the standby has replayed its log up to {survey.current}; destinations hold more, up to {known.reached}",
            code="STANDBY_BEHIND",
            remedy="It goes on by itself when the standby has come so far; if it never does, it is not the one it was.",
        )
    if survey.current < known.reached:
        raise _went_back(known, f"its log ends at {survey.current}")


def _went_back(known: KnownSlot, how: str) -> ResyncRequiredError:
    return ResyncRequiredError(
        f"the source was restored to an earlier moment: {how}, but destinations hold changes up to {known.reached}",
        code="SOURCE_WENT_BACK",
        remedy=_make_anew(known),
    )


def begin_again(pipeline_id: int) -> str:
    """What a person does about a slot that is gone: first the statement, then what it brings about."""
    return (
        f"UPDATE pipelines SET acknowledged_lsn = NULL, status = 'REFRESH' WHERE id = {pipeline_id}; "
        "then Rosetta makes a new slot and copies every table again."
    )


def _make_anew(known: KnownSlot) -> str:
    return (
        f"Point the source back to where it was; or DELETE FROM pipelines WHERE id = {known.pipeline_id}; drop its "
        "tables at the destinations, and make the pipeline anew."
    )
