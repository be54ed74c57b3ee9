"""Whether the stream can go on at a destination where it stopped."""

from __future__ import annotations

from dataclasses import dataclass

from rosetta.errors import ResyncRequiredError
from rosetta.lsn import Lsn, StreamPosition


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a destination must hold for the stream to go on without a gap.

    Attributes:
        confirmed: what the slot no longer delivers.
        established: tables of this destination were copied or are being copied.
        reported: how far the destination once said it was; None: it never did.
        parked: how far the stream is in the ledger for this destination; None: it never was.
        origin: where its stream begins if all of its tables are copied from the beginning; what it held before does
            not matter then. None: what it holds is continued.
        log_end: where the source's log ended before the stream began: no destination can be beyond it.
    """

    confirmed: Lsn
    established: bool
    reported: Lsn | None
    parked: StreamPosition | None = None
    origin: StreamPosition | None = None
    log_end: Lsn | None = None

    def check(self, durable: StreamPosition | None) -> None:
        """Raises ResyncRequiredError when changes between `durable` and the slot are lost.

        What the ledger holds reaches back to what the destination last said it had: a destination that has less
        now was restored, and what it was given in between is no longer in the ledger.
        """
        if durable is not None and self.log_end is not None and durable.commit_lsn > self.log_end:
            # New changes would get positions that the destination holds already, and would be passed over.
            raise ResyncRequiredError(
                f"the destination holds changes up to {durable.commit_lsn}, but the source's log ends at "
                f"{self.log_end}: the source was restored to an earlier moment, or is another one",
                code="SOURCE_WENT_BACK",
                remedy="Point the source back to where it was; or delete the pipeline, drop its tables at the "
                "destinations, and make the pipeline anew.",
            )
        needed = self.confirmed
        if self.parked is not None and self.parked.commit_lsn >= self.confirmed:
            needed = min(self.confirmed, self.reported or Lsn(0))
        lost = self.reported is not None if durable is None else durable.commit_lsn < needed
        if self.established and lost:
            have = "nothing" if durable is None else f"everything up to {durable.commit_lsn}"
            raise ResyncRequiredError(
                f"the destination holds {have}, but the slot has moved on to {self.confirmed}: changes are missing",
                code="DESTINATION_BEHIND_SLOT",
                remedy="Set desired_state = 'RESYNC' on its table syncs after checking what was restored there.",
            )
