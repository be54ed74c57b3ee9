"""Landing tables of one stream: where changes of tables that keep current rows wait for their merge."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from compute.core.batch import TableChanges
from compute.destinations.base import TableTarget
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from compute.destinations.snowflake.streaming.channel import Pipe
from compute.destinations.snowflake.streaming.landed_load import Landing
from compute.destinations.snowflake.streaming.landed_rows import landing_lines
from compute.destinations.snowflake.streaming.rows import MAX_REQUEST_BYTES
from compute.destinations.snowflake.streaming.stream import Part, Stream
from compute.destinations.snowflake.streaming.tokens import RowsToken
from rosetta.dialects.snowflake import landing
from rosetta.dialects.snowflake.names import OWN_SCHEMA
from rosetta.lsn import StreamPosition


class Landings:
    """One for each shape of a table's changes, noted in the account, so that the next process knows of them."""

    def __init__(self, session: Session, progress: Progress, staging: Staging) -> None:
        self._session = session
        self._progress = progress
        self._staging = staging
        self._opened = False
        self._known: dict[int, list[Landing]] = {}

    def open(self, stream: Stream, position: StreamPosition | None) -> None:
        """What an earlier process has sent behind `position` comes again, so it is taken out of the landings."""
        self._session.run(landing.CREATE_LANDINGS, "creating Rosetta's own tables")
        if self._opened:
            return
        for sync_id, name, columns in self._session.rows(landing.entered_sql(self._owner), "looking for landings"):
            found = Landing(int(sync_id), name, tuple(orjson.loads(columns)))
            if stream.undo_beyond(found.sync_id, self.pipe(found), position):
                kept = "" if position is None else str(RowsToken(position))
                self._session.run(landing.drop_beyond_sql(name, kept), "taking back what comes again")
            self._known.setdefault(found.sync_id, []).append(found)
        self._opened = True

    def of(self, sync_id: int) -> Sequence[Landing]:
        """Of a table, the one that its changes go to last."""
        return self._known.get(sync_id, [])

    def pipe(self, one: Landing) -> Pipe:
        return Pipe(self._session.endpoint.database, OWN_SCHEMA, one.name)

    def is_last(self, target: TableTarget, changes: TableChanges) -> bool:
        """Whether the newest changes of the table went where these go."""
        return self.of(target.sync_id)[-1:] == [self._landing(target, changes)]

    def part(self, target: TableTarget, changes: TableChanges, end: StreamPosition) -> Part | None:
        """Changes on their way to their landing, which is made; None: one of them is larger than a request."""
        one, table = self._landing(target, changes), self._staging.described(target, changes.columns)
        found = landing_lines(changes, table, str(RowsToken(end)))
        if max(map(len, found), default=0) > MAX_REQUEST_BYTES:
            return None
        known = self._known.setdefault(target.sync_id, [])
        if one in known:
            known.remove(one)
        else:
            doing = f"preparing the landing of {target.target}"
            listed = orjson.dumps(one.columns).decode()
            self._session.run(landing.create_landing_sql(one.name, len(table.columns), len(table.key)), doing)
            self._session.run(landing.enter_sql(self._owner, target.sync_id, one.name, listed), doing)
        known.append(one)
        return Part(target.sync_id, self.pipe(one), found)

    @property
    def _owner(self) -> tuple[int, int]:
        return self._progress.pipeline_id, self._progress.destination_id

    def _landing(self, target: TableTarget, changes: TableChanges) -> Landing:
        staging = self._staging.described(target, changes.columns).staging
        identity = hashlib.sha256(f"{target.sync_id}\0{staging}".encode()).hexdigest()[:16].upper()
        pipeline_id, destination_id = self._owner
        return Landing(target.sync_id, f"LANDING_{pipeline_id}_{destination_id}_{identity}", changes.columns)
