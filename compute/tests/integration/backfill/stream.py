"""A stream of marks without an engine: test_decoding read by SQL, chunks merged by a real PostgresDestination."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from compute.backfill.flight import Pending, PendingCheck, PendingChunk
from compute.backfill.manager import BackfillManager
from compute.backfill.ports import ROWS_LACK_VALUES, CopyTarget, KeyQuestion
from compute.destinations.base import RangeCheck, RowChunk, TableTarget
from compute.destinations.postgres import PostgresDestination
from rosetta.errors import RosettaError
from rosetta.postgres import PostgresEndpoint, connect

_CONTENT = " content:"


class MarkStream:
    """Follows the log of the source and merges what its marks release, as the fan-out and a writer would.

    `held`: while set, nothing is merged; `merged`: all chunks so far; `refuse`: an error for the next chunk;
    `lock`: held while the destination is used.
    """

    def __init__(self, source: PostgresEndpoint, destination: PostgresDestination) -> None:
        self._source = source
        self.destination = destination
        self._ended = threading.Event()
        self.lock = threading.Lock()
        self.manager: BackfillManager | None = None
        self.held = threading.Event()
        self.merged: list[RowChunk] = []
        self.checked: list[RangeCheck] = []
        self.targets: dict[int, TableTarget] = {}
        self.refuse: RosettaError | None = None
        self.before_merge: Callable[[RowChunk], None] = lambda _: None
        self._thread = threading.Thread(target=self._run, name="marks", daemon=True)
        with closing(connect(source, application="marks", autocommit=True)) as session:
            session.cursor().execute(f"SELECT pg_create_logical_replication_slot('{self.slot}', 'test_decoding')")

    @property
    def slot(self) -> str:
        return f"marks_{self._source.database}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(10)

    def _run(self) -> None:
        query = f"SELECT data FROM pg_logical_slot_get_changes('{self.slot}', NULL, 200)"
        with (
            closing(connect(self._source, application="marks", autocommit=True)) as session,
            session.cursor() as cursor,
        ):
            while not self._ended.wait(0.01):
                cursor.execute(query)
                for (data,) in cursor.fetchall():
                    if data.startswith("message:") and self.manager is not None:
                        for pending in self.manager.take_chunks(data[data.index(_CONTENT) + len(_CONTENT) :]):
                            self._merge(pending)

    def _merge(self, pending: Pending) -> None:
        while self.held.is_set() and not self._ended.wait(0.01):
            pass
        if self._ended.is_set():
            return
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            pending.failed(error)
            return
        if isinstance(pending, PendingChunk):
            self.before_merge(pending.chunk)
        with self.lock:
            pending.land(self.destination, self.targets[pending.sync_id])
        if isinstance(pending, PendingCheck):
            self.checked.append(pending.check)
        elif isinstance(pending, PendingChunk):
            self.merged.append(pending.chunk)


class ServedTables:
    """`CopyTables` of a test: which tables are served, and what copies said."""

    def __init__(self, stream: MarkStream) -> None:
        self._stream = stream
        self.targets: dict[int, TableTarget] = {}
        self.owners: dict[int, str] = {}
        self.finished: list[int] = []
        self.failed: dict[int, RosettaError] = {}

    def copy_target(self, sync_id: int) -> CopyTarget | None:
        target = self.targets.get(sync_id)
        return None if target is None else CopyTarget(1, target)

    def ask(self, sync_id: int, question: KeyQuestion, answer: Callable[[list[tuple[str, ...]]], None]) -> None:
        if sync_id in self.targets:
            with self._stream.lock:
                keys = question(self._stream.destination, self.targets[sync_id])
            answer(keys)

    def begin_backfill(self, sync_id: int, owner: str, begun: Callable[[RosettaError | None], None]) -> None:
        with self._stream.lock:
            self._stream.destination.start_copy(self.targets[sync_id])
        self.owners[sync_id] = owner
        begun(None)

    def end_copy(
        self, sync_id: int, owner: str | None, ended: Callable[[RosettaError | None], None], *, final: bool = True
    ) -> None:
        if self.owners.get(sync_id) == owner:
            target = self.targets.get(sync_id, self._stream.targets[sync_id])
            with self._stream.lock:
                if not final and self._stream.destination.unfilled_keys(target):
                    ended(ROWS_LACK_VALUES)
                    return
                try:
                    self._stream.destination.finish_copy(target)
                except RosettaError as error:
                    ended(error)
                    return
            self.owners.pop(sync_id, None)
        ended(None)

    def copied(self, sync_id: int) -> None:
        self.finished.append(sync_id)

    def fail(self, sync_id: int, error: RosettaError) -> None:
        self.targets.pop(sync_id, None)
        self.failed[sync_id] = error
