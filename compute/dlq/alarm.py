"""What people are told of refused changes, in `notifications`: that there are some, that they grow, that we gave up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from compute.core.catalog.session import Session
from compute.dlq.ledger import Ledger
from rosetta.enums import Severity

REFUSED: Final = "DLQ_RECORDS"
EXHAUSTED: Final = "DLQ_EXHAUSTED"
_COUNTS = """
    SELECT COALESCE(sum(records), 0)::bigint AS rows, COALESCE(sum(row_count), 0)::bigint AS changes FROM dlq_totals
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = 'DATA'
      AND state IN ('PARKED', 'RETRYING')"""
_EXHAUSTED = """
    SELECT count(*) FROM (SELECT 1 FROM dlq_records
        WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND next_attempt_at IS NULL
          AND error_class = 'DATA' AND state IN ('PARKED', 'RETRYING') LIMIT 10001) AS given_up"""
_ALERT = """
    INSERT INTO notifications AS n (kind, severity, dedup_key, pipeline_id, destination_id, title, message, remedy)
    VALUES (%(kind)s, %(severity)s, %(key)s, %(pipeline_id)s, %(destination_id)s, %(title)s, %(message)s, %(remedy)s)
    ON CONFLICT (dedup_key) WHERE resolved_at IS NULL
    DO UPDATE SET occurrences = n.occurrences + 1, message = excluded.message, remedy = excluded.remedy"""
_CALM = "UPDATE notifications SET resolved_at = now() WHERE dedup_key = %(key)s AND resolved_at IS NULL"


@dataclass(frozen=True, slots=True)
class _Subject:
    kind: str
    severity: Severity
    title: str
    remedy: str


_REFUSED = _Subject(
    REFUSED,
    Severity.WARNING,
    "Changes were refused and wait",
    "Mend the cause named at the records; they are tried again by themselves. Or edit or discard them.",
)
_GIVEN_UP = _Subject(
    EXHAUSTED,
    Severity.CRITICAL,
    "Refused changes are not tried again by themselves",
    "They reached DLQ_MAX_RETRY_COUNT or DLQ_MAX_AGE_DAYS and stay. Mend the cause, then recover, edit or discard.",
)


class Alarm:
    """For one destination. Raises what `Ledger` raises."""

    def __init__(self, ledger: Ledger, destination_id: int) -> None:
        self._ledger = ledger
        self._place = ledger.place(destination_id)
        self._told: dict[str, int] = {}

    def look(self) -> None:
        """Raises, repeats where it has grown, or resolves each notification."""
        with self._ledger.fenced() as session:
            found = session.execute(_COUNTS, self._place).one()
            exhausted = session.execute(_EXHAUSTED, self._place).scalar()
            self._tell(session, _REFUSED, found.rows, f"{found.rows} records with {found.changes} changes wait")
            many = "more than 10000" if exhausted > 10_000 else str(exhausted)
            self._tell(session, _GIVEN_UP, exhausted, f"{many} records have failed too often or for too long")

    def _tell(self, session: Session, subject: _Subject, count: int, message: str) -> None:
        values: dict[str, Any] = self._place | {
            "kind": subject.kind,
            "key": f"{subject.kind}:{self._place['pipeline_id']}:{self._place['destination_id']}",
            "severity": subject.severity,
            "title": subject.title,
            "message": message,
            "remedy": subject.remedy,
        }
        told = self._told.get(subject.kind)
        if count == 0 and told != 0:
            session.execute(_CALM, values)
        elif count > (told or 0):
            session.execute(_ALERT, values)
        self._told[subject.kind] = count
