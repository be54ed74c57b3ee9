"""Whether a destination takes part: suspended by its bounds, taken back for a resync, and what people are told."""

from __future__ import annotations

from typing import Final

from compute.core.catalog.notices import Notice, resolve
from compute.core.exit_codes import Failure
from compute.dlq.ledger import Ledger
from rosetta.enums import Severity

DETACHED: Final = "DESTINATION_DETACHED"
BLOCKED: Final = "PARKING_BLOCKED"
_TITLES: Final = {DETACHED: "A destination was detached", BLOCKED: "Changes cannot be parked"}

_DETACH = """
    UPDATE pipeline_destinations SET detached_at = COALESCE(detached_at, now()), error_message = %(message)s
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s"""
_ATTACH = """
    UPDATE pipeline_destinations SET detached_at = NULL, error_message = NULL,
        parked_commit_lsn = NULL, parked_change_lsn = NULL, parked_ordinal = NULL
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s RETURNING id"""
# A table that nobody asked to copy again lacks what came meanwhile: it must not go on as if nothing were missing.
_LEAVE_BEHIND = """
    UPDATE table_syncs SET state = 'ERROR', error_code = %(code)s, error_message = %(message)s,
        error_remedy = %(remedy)s
    WHERE pipeline_destination_id = %(id)s AND desired_state = 'ACTIVE' AND state IN ('COPYING', 'STREAMING')"""


class Standing:
    """How one destination stands. Every method is one fenced transaction; see `compute.dlq.ledger`."""

    def __init__(self, ledger: Ledger, destination_id: int) -> None:
        self._ledger = ledger
        self._destination_id = destination_id

    def detach(self, failure: Failure) -> None:
        """Nothing is written or parked for it any more, and it holds nothing back."""
        with self._ledger.fenced() as session:
            session.execute(_DETACH, self._where() | {"message": failure.message})
            self._notice(DETACHED, failure).tell(session)

    def attach(self) -> None:
        """Takes it back with the tables that are to be copied again; the others are in error until they are."""
        with self._ledger.fenced() as session:
            joined = session.execute(_ATTACH, self._where()).one()[0]
            values = {
                "id": joined,
                "code": DETACHED,
                "message": "its destination was detached, so changes are missing",
                "remedy": "Set desired_state = 'RESYNC' on this table sync.",
            }
            session.execute(_LEAVE_BEHIND, values)
            resolve(session, self._key(DETACHED))

    def alert(self, failure: Failure | None) -> None:
        """Tells people that nothing can be parked, or that it can be again."""
        with self._ledger.fenced() as session:
            if failure is None:
                resolve(session, self._key(BLOCKED))
            else:
                self._notice(BLOCKED, failure).tell(session)

    def _notice(self, kind: str, failure: Failure) -> Notice:
        return Notice(
            kind,
            Severity.CRITICAL,
            self._key(kind),
            title=_TITLES[kind],
            message=f"{failure.message} ({failure.code})",
            remedy=failure.remedy,
            **self._where(),
        )

    def _key(self, kind: str) -> str:
        return f"{kind}:{self._ledger.pipeline_id}:{self._destination_id}"

    def _where(self) -> dict[str, int]:
        return self._ledger.place(self._destination_id)
