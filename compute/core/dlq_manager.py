"""DLQManager: what a pipeline's process has of the dead-letter queue, connected."""

from __future__ import annotations

from collections.abc import Callable

from compute.config.settings import Settings
from compute.core.dlq_recovery import DestinationRecovery, DlqRecovery, RecoveryParts
from compute.core.exit_codes import Failure
from compute.core.work import Work
from compute.dlq.book import Book
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.keys import KeyHasher
from compute.dlq.ledger import Ledger
from compute.dlq.parking import Parking
from compute.dlq.replays import Replays, RetryPolicy


class DLQManager:
    """Ledger, dispatcher, and the recovery of what destinations refused.

    Per destination `parking` gives the part that its writer works with; the recovery then hands that writer what is
    to be tried again. Parking and recovery of outages are the lanes' (`compute.core.lane`).
    """

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        settings: Settings,
        hand_over: Callable[[int, Work], None],
    ) -> None:
        """`hand_over` gives work to a destination's writer."""
        self.ledger = ledger
        self.dispatcher = dispatcher
        self._hand_over = hand_over
        self._hasher = KeyHasher(ledger.keyring)
        self._policy = RetryPolicy(
            first_seconds=settings.dlq_check_interval,
            max_attempts=settings.dlq_max_retry_count,
            max_age_days=settings.dlq_max_age_days,
            page_rows=settings.dlq_batch_size,
        )
        self._recovery = DlqRecovery(settings.dlq_check_interval)

    def parking(self, destination_id: int, limit: Callable[[], Failure | None]) -> Parking:
        """A new writer's part; from now on the recovery hands its work to that writer.

        `limit`: why the destination's backlog may not grow now.
        """
        parking = Parking(Book(self.ledger, destination_id), self.dispatcher, self._hasher, limit)
        replays = Replays(self.ledger, destination_id, self._policy)
        parts = RecoveryParts(parking, replays, self.dispatcher, self._hand_over)
        recovery = self._recovery
        recovery.put(DestinationRecovery(destination_id, parts, recovery.interval_seconds, recovery.signal))
        return parking

    def leave(self, destination_id: int) -> None:
        """The destination has no writer any more."""
        self._recovery.drop(destination_id)

    def start(self) -> None:
        """Recovery begins."""
        self._recovery.start()

    def wake(self) -> None:
        """Somebody changed something: what a person asked for is tried now."""
        self._recovery.ask()

    def stop(self) -> None:
        """What is with a writer is finished by it, or tried again after the next start."""
        self._recovery.stop()
