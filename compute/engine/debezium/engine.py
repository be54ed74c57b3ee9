"""The change engine that stands on Debezium: the contract of `compute.engine.base` over one Java object."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from compute.core.batch import ChangeBatch, TableChanges, TableSpec
from compute.engine.base import EnginePhase, EngineSource, EngineState, cuts_behind
from compute.engine.debezium import jvm
from compute.engine.debezium.properties import connector_properties
from compute.engine.slot import SlotWatch
from rosetta.enums import Profile
from rosetta.errors import ConfigurationError, OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

STOP_SECONDS = 10.0


class DebeziumEngine:
    """Reads one slot through Debezium; see `ChangeEngine` for what is promised.

    The JVM belongs to the process and starts with the first engine. When its heap is full the process ends with
    exit code 3; start again with a larger `heap_scale` then.
    """

    def __init__(
        self,
        source: EngineSource,
        profile: Profile = Profile.SMALL,
        *,
        heap_scale: int = 1,
        batch_rows: int | None = None,
        queue_rows: int | None = None,
    ) -> None:
        self._source = source
        self._profile = profile
        self._heap_scale = heap_scale
        self._memory = jvm.MEMORY[profile].limited(batch_rows, queue_rows).scaled(heap_scale)
        self._lock = threading.Lock()
        self._stream: Any = None
        self._slot: SlotWatch | None = None
        self._error: RosettaError | None = None
        self._confirmed = False
        self._stopped = False

    @property
    def capacity_bytes(self) -> int:
        """See the contract."""
        return self._memory.outstanding_bytes

    def start(
        self, position: StreamPosition, tables: Mapping[TableId, TableSpec], cuts: Collection[StreamPosition] = ()
    ) -> None:
        """Starts the JVM if need be, and the stream; see the contract.

        Raises:
            ResyncRequiredError: the slot is lost or already beyond `position`.
            OutageError: the source cannot be reached. That another process reads the slot shows in `take`.
            ConfigurationError: the JVM or its jars are not the ones this engine is made for, or the source is a
                standby.
        """
        if self._stream is not None:
            raise RuntimeError("an engine starts once; make a new one")
        self._slot = SlotWatch(self._source, position)
        reference_xid = self._slot.check_start()
        if self._slot.on_standby:
            raise _standby()
        jvm.start(self._profile, self._heap_scale)
        properties = jvm.java_class("java.util.Properties")()
        server = f"rosetta_{uuid.uuid4().hex}"
        settings = connector_properties(self._source, position.commit_lsn, server, self._memory)
        for name, value in settings.items():
            properties.setProperty(name, value)
        self._stream = jvm.java_class("rosetta.engine.ChangeStream")(
            properties,
            _numbers(position),
            [number for cut in cuts_behind(position, cuts) for number in _numbers(cut)],
            reference_xid,
            [self._memory.soft_bytes, self._memory.hard_bytes, self._memory.outstanding_bytes],
            _rows(tables),
        )
        self._stream.start()

    def take(self, timeout_seconds: float) -> ChangeBatch | None:
        """The next batch or None; see the contract.

        Raises:
            ResyncRequiredError: the engine failed because its slot was lost.
            OutageError: the engine failed; the message says why.
        """
        if self._error is not None:
            raise self._error
        batch = self._stream.take(round(timeout_seconds * 1000))
        if batch is not None:
            self._confirm()
            return _change_batch(batch)
        self._raise_failure()
        if self._stream.isStreaming():
            self._confirm()
        return None

    def acknowledge(self, sequence: int) -> None:
        """See the contract; the slot follows within half a second, or when the engine stops."""
        self._stream.acknowledge(sequence)

    def mark(self, _content: str, _lsn: Lsn, /) -> None:
        """Raises ConfigurationError: only standbys need it, and this engine does not read them."""
        raise _standby()

    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None:
        """See the contract."""
        self._stream.setTables(_rows(tables))

    def state(self) -> EngineState:
        """What is so now; STREAMING once `take` saw the slot active and something come through it."""
        if self._stopped:
            return EngineState(EnginePhase.STOPPED)
        failure = self._error.message if self._error is not None else self._failure()
        if failure is not None:
            return EngineState(EnginePhase.FAILED, failure)
        return EngineState(EnginePhase.STREAMING if self._confirmed else EnginePhase.STARTING)

    def stop(self) -> None:
        """Ends the stream within `STOP_SECONDS`; see the contract.

        Raises:
            OutageError: Debezium did not end in time; only the end of the process frees the slot then.
        """
        with self._lock:
            if self._stopped or self._stream is None:
                self._stopped = True
                return
            self._stopped = True
            ended = bool(self._stream.stop(round(STOP_SECONDS * 1000)))
        if not ended:
            raise OutageError(f"the engine did not end within {STOP_SECONDS:.0f} s", code="ENGINE_HANGS")

    def _confirm(self) -> None:
        """Before the first batch leaves us: the slot that streams is the one that was there at the start."""
        if self._confirmed or self._slot is None:
            return
        try:
            self._slot.check_streaming()
        except RosettaError as error:
            self._raise_failure()  # a stream that failed meanwhile says more than the slot does
            self._error = error
            raise
        self._confirmed = True

    def _failure(self) -> str | None:
        if self._stream is None:
            return None
        failure = self._stream.failure()
        if failure is None:
            return None
        password = self._source.endpoint.password
        return str(failure).replace(password, "***") if password else str(failure)

    def _raise_failure(self) -> None:
        failure = self._failure()
        if failure is None or self._stopped or self._slot is None:
            return
        self._error = self._slot.explain(failure)
        raise self._error


def _standby() -> ConfigurationError:
    return ConfigurationError(
        "the source is a standby, which only the engine pgoutput reads",
        code="STANDBY_ENGINE",
        remedy="UPDATE pipelines SET engine = 'pgoutput' WHERE id = ...; or enter the primary server in the source.",
    )


def _numbers(position: StreamPosition) -> list[int]:
    return [int(position.commit_lsn), int(position.change_lsn), position.ordinal]


def _rows(tables: Mapping[TableId, TableSpec]) -> Any:
    strings = jvm.java_class("java.lang.String")
    rows = [
        [spec.table.schema, spec.table.name, "fold" if spec.fold else "keep", *spec.key] for spec in tables.values()
    ]
    return strings[:][:](rows)


def _change_batch(batch: Any) -> ChangeBatch:
    sequence, *places, micros = (int(number) for number in batch.numbers())
    return ChangeBatch(
        sequence=sequence,
        start=StreamPosition(Lsn(places[0]), Lsn(places[1]), places[2]),
        end=StreamPosition(Lsn(places[3]), Lsn(places[4]), places[5]),
        truncated=tuple(TableId(str(schema), str(name)) for schema, name in batch.truncated()),
        tables=tuple(_table_changes(table) for table in batch.tables()),
        watermarks=tuple(str(content) for content in batch.watermarks()),
        commit_time=micros / 1e6 if micros >= 0 else None,
    )


def _table_changes(table: Any) -> TableChanges:
    return TableChanges(
        table=TableId(str(table.schema()), str(table.name())),
        columns=tuple(str(name) for name in table.columns()),
        key=tuple(str(name) for name in table.key()),
        row_count=int(table.rows()),
        data=bytes(memoryview(table.data())),
        folded=bool(table.folded()),
        has_deletes=bool(table.deletes()),
        has_unchanged=bool(table.unchanged()),
        has_moved=bool(table.moved()),
        types=tuple(str(name) for name in table.types()),
    )
