"""What a destination has put off, done where the writer has to see to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compute.destinations.base import Refusal
from compute.dlq.entries import Divided

if TYPE_CHECKING:
    from compute.core.work import Desk


def catch_up(desk: Desk, *, wholly: bool = False) -> None:
    """See `Destination.catch_up`. What is refused then is in the ledger before it leaves the destination."""

    def refused(refusal: Refusal) -> None:
        served = {sync_id: error for sync_id, error in refusal.tables.items() if sync_id in desk.targets}
        desk.refused(Refusal(served, refusal.records), Divided((), ()))

    desk.destination.catch_up(refused, wholly=wholly)
