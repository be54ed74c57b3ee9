"""That refused changes are not tried again by themselves: nobody but a person gets on with them.

That changes wait at all is told by the backend, from `dlq_totals`; it cannot see which of them were given up.
"""

from __future__ import annotations

from typing import Final

from compute.core.catalog.notices import Notice, resolve
from compute.dlq.ledger import Ledger
from rosetta.enums import Severity

EXHAUSTED: Final = "DLQ_EXHAUSTED"
_MANY: Final = 10_000  # beyond it nobody counts
_GIVEN_UP = """
    SELECT count(*) FROM (SELECT 1 FROM dlq_records
        WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND next_attempt_at IS NULL
          AND error_class = 'DATA' AND state IN ('PARKED', 'RETRYING') LIMIT %(most)s) AS given_up"""


class Alarm:
    """For one destination. Raises what `Ledger` raises."""

    def __init__(self, ledger: Ledger, destination_id: int) -> None:
        self._ledger = ledger
        self._place = ledger.place(destination_id)
        self._key = f"{EXHAUSTED}:{ledger.pipeline_id}:{destination_id}"
        self._told: int | None = None  # an earlier process may have left a notification open

    def look(self) -> None:
        """Raises the notification, repeats it where there are more, or resolves it."""
        with self._ledger.fenced() as session:
            count = session.execute(_GIVEN_UP, self._place | {"most": _MANY + 1}).scalar()
            if count == 0 and self._told != 0:
                resolve(session, self._key)
            elif count > (self._told or 0):
                self._notice(count).tell(session)
        self._told = count

    def _notice(self, count: int) -> Notice:
        many = f"more than {_MANY}" if count > _MANY else str(count)
        return Notice(
            EXHAUSTED,
            Severity.CRITICAL,
            self._key,
            title="Refused changes are not tried again by themselves",
            message=f"{many} records have failed too often or for too long",
            remedy="They reached DLQ_MAX_RETRY_COUNT or DLQ_MAX_AGE_DAYS and stay. Mend the cause, then recover,"
            " edit or discard.",
            **self._place,
        )
