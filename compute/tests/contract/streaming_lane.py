"""Snowflake by streams under the contract: the emulated account, and the stand-in for streams that fills its tables."""

from __future__ import annotations

import threading
from dataclasses import replace

import orjson

from compute.destinations.base import Refusal, Refusals, WriteBatch, WriteResult, ignore_refusals
from compute.destinations.snowflake.options import DEFAULTS, Options
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.streaming.channel import Clock
from compute.destinations.snowflake.streaming.destination import StreamingDestination, channel_name, progress_pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Stream
from compute.tests.contract.snowflake_lane import SnowflakeLane
from compute.tests.support.snowflake_double import SnowflakeDouble
from compute.tests.support.streaming_server import Row, StreamingServer
from rosetta.dialects.snowflake.names import literal, own, quoted
from rosetta.lsn import Lsn, StreamPosition
from rosetta.snowflake import SnowflakeEndpoint


class Filler:
    """Writes rows that were streamed into the tables of the emulated account, as Snowflake does."""

    def __init__(self, endpoint: SnowflakeEndpoint) -> None:
        self._session = Session(endpoint, "streams")
        self._alone = threading.Lock()

    def keep(self, pipe: str, rows: list[Row]) -> None:
        _, _, _, schema, _, table = pipe.split("/")
        if not rows or table == "STREAMED-STREAMING":
            return
        with self._alone:
            if not self._session.connected:
                self._session.connect()
            into = f"{quoted(schema)}.{quoted(table.removesuffix('-STREAMING'))}"
            names = list(dict.fromkeys(name for row in rows for name in row))
            taken = " UNION ALL ".join(f"SELECT {', '.join(_value(row.get(name)) for name in names)}" for row in rows)
            self._session.run(f"INSERT INTO {into} ({', '.join(map(quoted, names))}) {taken}", "streaming")

    def close(self) -> None:
        self._session.close()


def _value(value: object) -> str:
    if isinstance(value, dict | list):
        return f"PARSE_JSON({literal(orjson.dumps(value).decode())})"
    return str(value) if isinstance(value, int) else literal(None if value is None else str(value))


def streams_of(endpoint: SnowflakeEndpoint, port: int) -> SnowflakeEndpoint:
    """The same account where its streams are served."""
    return replace(endpoint, host="127.0.0.1", port=port, scheme="http")


class MergedAtOnce(StreamingDestination):
    """What was sent has landed and is merged when a write returns, so that a test sees what it wrote."""

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        told: list[Refusal] = []

        def tell(refusal: Refusal) -> None:
            refused(refusal)
            told.append(refusal)

        result = super().write_changes(batch, tell)
        self.catch_up(tell, wholly=True)
        end = batch.end
        if end is not None:
            self.stream.wait("what was sent", lambda: (self.durable_position() or StreamPosition(Lsn(0))) >= end)
        tables = {sync_id: error for one in told for sync_id, error in one.tables.items()}
        return replace(result, refusal=Refusal(tables, tuple(record for one in told for record in one.records)))


class StreamingLane(SnowflakeLane):
    """As the lane of files."""

    def __init__(self, account: SnowflakeDouble, server: StreamingServer, options: Options = DEFAULTS) -> None:
        super().__init__(account)
        self._options = options
        self._rests: list[StreamingRest] = []
        self._filler = Filler(self.endpoint)
        self.server = server
        server.keep = self._filler.keep

    def writer(self, pipeline_id: int = 1) -> StreamingDestination:
        seconds = iter(range(0, 10_000_000, 5))
        return self.made(MergedAtOnce, Clock(lambda: float(next(seconds)), lambda _: None), pipeline_id)

    def made(self, kind: type[StreamingDestination], clock: Clock, pipeline_id: int = 1) -> StreamingDestination:
        """One that is not open yet; statements go to the account, rows to the stand-in."""
        at = streams_of(self.endpoint, self.server.port)
        made, rest = kind(self.endpoint, pipeline_id, 1, self._options), StreamingRest(at)
        made.stream = Stream(rest, progress_pipe(at), channel_name(pipeline_id, 1), clock)
        self._rests.append(rest)
        self._writers.append(made)
        return made

    def left(self) -> int:
        """Rows in landings."""
        names = self.asked('SELECT LANDING FROM "_ROSETTA"."LANDINGS"')
        return sum(int(str(self.asked(f"SELECT COUNT(*) FROM {own(str(name))}")[0][0])) for (name,) in names)

    def close(self) -> None:
        super().close()
        self._filler.close()
        for rest in self._rests:
            rest.close()
