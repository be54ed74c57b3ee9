"""What of one destination's refused changes is to be tried now, and what became of it. SQL on the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from compute.core import failpoints
from compute.core.catalog.session import Row, Session
from compute.dlq.ledger import OPEN_ROW, Ledger
from compute.dlq.records import OpenRow
from rosetta.errors import RosettaError, SecretError
from rosetta.lsn import Lsn
from rosetta.plants import planted

_MESSAGE_CHARACTERS: Final = 2_000
_LONGEST_SECONDS: Final = 3_600.0
_UNSERVED_SECONDS: Final = 60.0
_ASKED_ROWS: Final = 5_000
_HOPS: Final = 10
_LINKED_ROWS: Final = 1_000_000
_DATA: Final = """pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = 'DATA'
    AND state IN ('PARKED', 'RETRYING')"""
_ORDER: Final = "commit_lsn, change_lsn, ordinal, part, id"

# A person's request, for single rows and for the whole destination, makes rows due; in pages, each by its index.
_ASKED = f"""
    UPDATE dlq_records SET next_attempt_at = now() WHERE id = ANY(
        SELECT id FROM dlq_records WHERE {_DATA} AND retry_requested_at IS NOT NULL
          AND (last_attempt_at IS NULL OR last_attempt_at < retry_requested_at)
          AND (next_attempt_at IS NULL OR next_attempt_at > now()) LIMIT {_ASKED_ROWS}) RETURNING id"""
_ASKED_FOR_ALL = f"""
    UPDATE dlq_records SET next_attempt_at = now() WHERE id = ANY(
        SELECT r.id FROM dlq_records r JOIN pipeline_destinations d USING (pipeline_id, destination_id)
        WHERE {_DATA} AND (last_attempt_at IS NULL OR last_attempt_at < d.recover_requested_at)
          AND (next_attempt_at IS NULL OR (next_attempt_at > now() AND next_attempt_at < 'infinity'))
        LIMIT {_ASKED_ROWS}) RETURNING id"""
# Where the oldest of a key was taken out by hand, whoever is the oldest now has nobody to wait for.
_FREE = f"""
    UPDATE dlq_records SET next_attempt_at = now() WHERE next_attempt_at = 'infinity' AND id = ANY(
        SELECT DISTINCT ON (table_sync_id, kind, key_hashes) id FROM dlq_records WHERE {_DATA}
        ORDER BY table_sync_id, kind, key_hashes, {_ORDER})"""
_DUE = f"""
    SELECT id, table_sync_id FROM dlq_records
    WHERE {_DATA} AND kind = 'RECORD' AND next_attempt_at <= now() AND table_sync_id IS NOT NULL
      AND NOT table_sync_id = ANY(%(held)s)
    ORDER BY next_attempt_at LIMIT %(rows)s"""
_DUE_HELD = f"""
    SELECT DISTINCT table_sync_id FROM dlq_records
    WHERE {_DATA} AND kind = 'SEGMENT' AND next_attempt_at <= now() AND table_sync_id IS NOT NULL"""
_HASHES = """
    SELECT DISTINCT unnest(key_hashes) FROM dlq_records
    WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING') AND table_sync_id = %(sync_id)s"""
# Key by key through the index of keys: OFFSET 0 keeps the planner from walking all records in their order instead.
_OF_KEYS: Final = f"""unnest(CAST(%(hashes)s AS bytea[])) AS key (hash) CROSS JOIN LATERAL (
        SELECT * FROM (SELECT {{columns}} FROM dlq_records
            WHERE {_DATA} AND kind = 'RECORD' AND table_sync_id = %(sync_id)s AND key_hashes @> ARRAY[key.hash]
            OFFSET 0) AS every ORDER BY {_ORDER} LIMIT %(rows)s) AS r"""
_LINKED = f"""
    SELECT DISTINCT ON (r.id) r.* FROM
        {_OF_KEYS.format(columns=f"{_ORDER}, payload_bytes, key_hashes")}"""
_ALONE = f"""
    SELECT {_ORDER}, payload_bytes, key_hashes FROM dlq_records
    WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING') AND table_sync_id = %(sync_id)s
      AND cardinality(key_hashes) = 0"""
_ROWS = f"""
    SELECT {OPEN_ROW} FROM dlq_records
    WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING') ORDER BY {_ORDER}"""
_OLDEST = f"""
    SELECT id, error_code FROM dlq_records WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = %(sync_id)s
    ORDER BY {_ORDER} LIMIT 1"""
_HELD_ROWS = f"SELECT DISTINCT table_sync_id FROM dlq_records WHERE {_DATA} AND kind = 'SEGMENT'"
_RECORDS = """
    SELECT COALESCE(sum(records), 0)::bigint FROM dlq_totals
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = 'DATA'
      AND kind = 'RECORD' AND state IN ('PARKED', 'RETRYING')"""
_ANY_BEHIND = f"SELECT 1 FROM dlq_records WHERE {_DATA} AND next_attempt_at = 'infinity' LIMIT 1"
# Only rows that are as they were read: what a person changed meanwhile is tried again as it is now.
_CLOSE = """
    UPDATE dlq_records r SET state = %(state)s, payload = ''::bytea, attempts = attempts + 1, last_attempt_at = now(),
        next_attempt_at = NULL
    FROM unnest(CAST(%(ids)s AS bigint[]), CAST(%(stamps)s AS timestamptz[])) AS done (id, updated_at)
    WHERE r.id = done.id AND r.updated_at = done.updated_at AND r.state IN ('PARKED', 'RETRYING')
    RETURNING r.id"""
_FAIL = """
    UPDATE dlq_records SET attempts = attempts + 1, last_attempt_at = now(), error_code = %(code)s,
        error_message = %(message)s, next_attempt_at = CASE
            WHEN attempts + 1 >= %(max_attempts)s
              OR created_at < now() - make_interval(days => %(max_age_days)s) THEN NULL
            ELSE now() + make_interval(
                secs => least(%(first_seconds)s * power(2, least(attempts, 30)), %(longest_seconds)s))
        END
    WHERE id = %(id)s AND state IN ('PARKED', 'RETRYING') RETURNING next_attempt_at"""
# Behind a refused one; asked for or not, they were tried with it.
_PUT_BEHIND = f"""
    UPDATE dlq_records SET next_attempt_at = 'infinity', last_attempt_at = now()
    WHERE next_attempt_at <= now() AND NOT id = ANY(%(failed)s) AND id = ANY(
        SELECT r.id FROM {_OF_KEYS.format(columns=_ORDER)})"""
_NEXT = f"""
    UPDATE dlq_records SET next_attempt_at = now() WHERE next_attempt_at = 'infinity' AND id = ANY(
        SELECT r.id FROM {_OF_KEYS.format(columns=_ORDER)})"""
_NEXT_HELD = f"""
    UPDATE dlq_records SET next_attempt_at = now() WHERE next_attempt_at = 'infinity' AND id = (
        SELECT id FROM dlq_records WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = %(sync_id)s
        ORDER BY {_ORDER} LIMIT 1)"""
# Before what waits for it, as by whoever deletes it.
_HOLD_TABLE = "SELECT id FROM table_syncs WHERE id = %(sync_id)s FOR NO KEY UPDATE"
# With the last of its segments: a process that ends right here must not find a table in error with nothing waiting.
_STREAMS = f"""
    UPDATE table_syncs SET state = 'STREAMING', error_code = NULL, error_message = NULL, error_remedy = NULL
    WHERE id = %(sync_id)s AND state = 'ERROR' AND NOT EXISTS (
        SELECT FROM dlq_records WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = %(sync_id)s)"""
_DEFER = """
    UPDATE dlq_records SET next_attempt_at = now() + make_interval(secs => %(seconds)s)
    WHERE id = ANY(%(ids)s) AND state IN ('PARKED', 'RETRYING') AND next_attempt_at <= now()"""
_DEFER_HELD = f"""
    UPDATE dlq_records SET next_attempt_at = now() + make_interval(secs => %(seconds)s)
    WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = %(sync_id)s AND next_attempt_at <= now()"""
_PUT_HELD_BEHIND = f"""
    UPDATE dlq_records SET next_attempt_at = 'infinity', last_attempt_at = now()
    WHERE {_DATA} AND kind = 'SEGMENT' AND table_sync_id = %(sync_id)s AND next_attempt_at <= now()
      AND id <> %(oldest)s"""
_DISCARD = """
    UPDATE dlq_records SET state = 'DISCARDED', discard_reason = 'planted bug', payload = ''::bytea
    WHERE id = ANY(%(ids)s)"""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a refused change is tried again by itself; see DLQ_* of the settings.

    `first_seconds` after the first attempt, twice as long after each further one, an hour at most.
    """

    first_seconds: float
    max_attempts: int
    max_age_days: int
    page_rows: int = 100
    page_bytes: int = 8_000_000


@dataclass(frozen=True, slots=True)
class Failed:
    """A record that was refused again, or cannot even be read."""

    row_id: int
    key_hashes: tuple[bytes, ...]
    error: RosettaError


@dataclass
class Outcome:
    """What became of a page of records.

    Attributes:
        recovered, superseded: applied, and passed over because the target has newer.
        failed: refused again, with the reason. What waits behind them was not tried.
    """

    recovered: list[OpenRow] = field(default_factory=list)
    superseded: list[OpenRow] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    @property
    def closed(self) -> list[OpenRow]:
        return [*self.recovered, *self.superseded]


class Replays:
    """For one destination. Raises what `Ledger` raises; safe to share between threads."""

    def __init__(self, ledger: Ledger, destination_id: int, policy: RetryPolicy) -> None:
        self.ledger = ledger
        self.policy = policy
        self._place = ledger.place(destination_id)

    # -- what is due ------------------------------------------------------------------------------

    def take_requests(self) -> None:
        """Makes due what a person asked for since it was last tried."""
        for statement in (_ASKED, _ASKED_FOR_ALL):
            while True:
                with self.ledger.fenced() as session:
                    if len(session.execute(statement, self._place)) < _ASKED_ROWS:
                        break

    def free_all(self) -> None:
        """Makes due what waits behind nothing; needed where rows were closed by hand."""
        with self.ledger.fenced() as session:
            if session.execute(_ANY_BEHIND, self._place).scalar() is not None:
                session.execute(_FREE, self._place)

    def record_count(self) -> int:
        """How many records are open."""
        with self.ledger.database.transaction() as session:
            count: int = session.execute(_RECORDS, self._place).scalar()
        return count

    def due(self, held: Iterable[int]) -> dict[int, list[int]]:
        """Ids of due records by table sync, at most a page; tables that are held wait for their segments."""
        values = self._place | {"held": list(held), "rows": self.policy.page_rows}
        found: dict[int, list[int]] = {}
        with self.ledger.database.transaction() as session:
            for row in session.execute(_DUE, values):
                found.setdefault(row.table_sync_id, []).append(row.id)
        return found

    def due_held(self) -> set[int]:
        """Table syncs whose held segments are due."""
        with self.ledger.database.transaction() as session:
            return set(session.execute(_DUE_HELD, self._place).scalars())

    def with_segments(self) -> set[int]:
        """Table syncs of which segments are held."""
        with self.ledger.database.transaction() as session:
            return set(session.execute(_HELD_ROWS, self._place).scalars())

    def chain(self, sync_id: int, row_ids: Iterable[int]) -> list[OpenRow]:
        """These records as they are now, with all older open ones of their keys and those behind, oldest first.

        At most a page by rows and bytes: the newest are cut off. Records closed since are left out.
        """
        values = self._place | {"sync_id": sync_id, "ids": list(row_ids), "rows": self.policy.page_rows}
        with self.ledger.database.transaction() as session:
            hashes = {bytes(one) for one in session.execute(_HASHES, values).scalars()}
            found = list(session.execute(_ALONE, values))
            for _ in range(_HOPS):  # a move links the records of two keys, and those may have moved
                linked = session.execute(_LINKED, values | {"hashes": list(hashes)})
                further = {bytes(one) for row in linked for one in row.key_hashes} - hashes
                if not further:
                    break
                hashes |= further
            found += [row for row in linked if hashes.issuperset(map(bytes, row.key_hashes))]
            rows = session.execute(_ROWS, {"ids": self._page(found)})
        return self._opened(sync_id, rows)

    def _page(self, found: Sequence[Row]) -> list[int]:
        """The oldest, at least one, within the bounds of a page."""
        chosen: list[int] = []
        size = 0
        ordered = sorted(
            found, key=lambda row: (Lsn.parse(row.commit_lsn), Lsn.parse(row.change_lsn), row.ordinal, row.id)
        )
        for row in ordered[: self.policy.page_rows]:
            size += row.payload_bytes
            if chosen and size > self.policy.page_bytes:
                break
            chosen.append(row.id)
        return chosen

    def _opened(self, sync_id: int, rows: Sequence[Row]) -> list[OpenRow]:
        """The rows that can be read, without those that wait behind one that cannot."""
        opened: list[OpenRow] = []
        unreadable = Outcome()
        lost: set[bytes] = set()
        for row in rows:
            keys = tuple(map(bytes, row.key_hashes or ()))
            if not lost.isdisjoint(keys):
                continue
            try:
                opened.append(self.ledger.opened(row))
            except SecretError as error:
                unreadable.failed.append(Failed(row.id, keys, error))
                lost.update(keys)
        if unreadable.failed:
            self.mark(sync_id, unreadable, ())
        return opened

    # -- what became of it ------------------------------------------------------------------------

    def mark(self, sync_id: int, outcome: Outcome, waiting: Iterable[bytes]) -> set[int]:
        """Writes an outcome down; returns the rows that were closed. `waiting`: keys whose next record is due now."""
        failpoints.hit("before_mark")
        with self.ledger.fenced() as session:
            closed = _close(session, outcome.recovered, "RECOVERED") | _close(session, outcome.superseded, "SUPERSEDED")
            for one in outcome.failed:
                _fail(session, self.policy, one.row_id, one.error)
            refused = {key for one in outcome.failed for key in one.key_hashes}
            if refused:
                failed = [one.row_id for one in outcome.failed]
                values = {"sync_id": sync_id, "hashes": list(refused), "failed": failed, "rows": _LINKED_ROWS}
                session.execute(_PUT_BEHIND, self._place | values)
            hashes = list(waiting)
            if hashes:
                session.execute(_NEXT, self._place | {"sync_id": sync_id, "hashes": hashes, "rows": 1})
        return closed

    def held_for(self, sync_id: int) -> str | None:
        """The code of the error for which a table is held."""
        with self.ledger.database.transaction() as session:
            row = session.execute(_OLDEST, self._place | {"sync_id": sync_id}).one_or_none()
        return None if row is None else row.error_code

    def failed_held(self, sync_id: int, error: RosettaError) -> None:
        """A held table is still refused; its oldest segment counts the attempts."""
        values = self._place | {"sync_id": sync_id}
        with self.ledger.fenced() as session:
            oldest = session.execute(_OLDEST, values).scalar()
            if oldest is not None:
                _fail(session, self.policy, oldest, error)
                session.execute(_PUT_HELD_BEHIND, values | {"oldest": oldest})

    def mark_held(self, sync_id: int, rows: Sequence[OpenRow]) -> None:
        """Segments of a held table were written; the next one takes over its attempts, behind the last it streams."""
        failpoints.hit("before_mark")
        with self.ledger.fenced() as session:
            session.execute(_HOLD_TABLE, {"sync_id": sync_id})
            _close(session, rows, "RECOVERED")
            session.execute(_NEXT_HELD, self._place | {"sync_id": sync_id})
            session.execute(_STREAMS, self._place | {"sync_id": sync_id})

    def defer(self, row_ids: Iterable[int]) -> None:
        """Due rows of a table that is not served now: looked at again later, no attempt."""
        with self.ledger.fenced() as session:
            session.execute(_DEFER, {"ids": list(row_ids), "seconds": _UNSERVED_SECONDS})

    def defer_held(self, sync_id: int) -> None:
        """`defer` for the segments of a table."""
        with self.ledger.fenced() as session:
            session.execute(_DEFER_HELD, self._place | {"sync_id": sync_id, "seconds": _UNSERVED_SECONDS})


def _fail(session: Session, policy: RetryPolicy, row_id: int, error: RosettaError) -> None:
    values: dict[str, Any] = {
        "id": row_id,
        "code": error.code,
        "message": error.message[:_MESSAGE_CHARACTERS],
        "max_attempts": policy.max_attempts,
        "max_age_days": policy.max_age_days,
        "first_seconds": policy.first_seconds,
        "longest_seconds": _LONGEST_SECONDS,
    }
    found = session.execute(_FAIL, values).one_or_none()
    if found is not None and found.next_attempt_at is None and planted("discard_after_retries"):
        session.execute(_DISCARD, {"ids": [row_id]})


def _close(session: Session, rows: Sequence[OpenRow], state: str) -> set[int]:
    if not rows:
        return set()
    values = {"state": state, "ids": [row.row_id for row in rows], "stamps": [row.changed_at for row in rows]}
    return set(session.execute(_CLOSE, values).scalars())
