"""What compute tells people, in `notifications`."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from compute.core.catalog.session import Session
from rosetta.enums import Severity

_RAISE = """
    INSERT INTO notifications AS n (kind, severity, dedup_key, pipeline_id, source_id, destination_id, title, message,
        remedy)
    VALUES (%(kind)s, %(severity)s, %(dedup_key)s, %(pipeline_id)s, %(source_id)s, %(destination_id)s, %(title)s,
        %(message)s, %(remedy)s)
    ON CONFLICT (dedup_key) WHERE resolved_at IS NULL DO UPDATE SET
        occurrences = n.occurrences + 1, severity = excluded.severity, title = excluded.title,
        message = excluded.message, remedy = excluded.remedy"""
_RESOLVE = "UPDATE notifications SET resolved_at = now() WHERE dedup_key = %(dedup_key)s AND resolved_at IS NULL"


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told once: repeats of `dedup_key` only renew it until it is resolved."""

    kind: str
    severity: Severity
    dedup_key: str
    pipeline_id: int
    title: str
    message: str
    remedy: str | None = None
    source_id: int | None = None
    destination_id: int | None = None

    def tell(self, session: Session) -> None:
        """Raises it, or renews the open one, with the session's transaction."""
        session.execute(_RAISE, asdict(self))


def resolve(session: Session, dedup_key: str) -> None:
    """What was told is over; nothing happens where nothing was."""
    session.execute(_RESOLVE, {"dedup_key": dedup_key})
