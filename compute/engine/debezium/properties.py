"""Debezium's configuration for one stream."""

from __future__ import annotations

from compute.engine.base import EngineSource
from compute.engine.debezium.jvm import Memory
from compute.engine.slot import quiet_slot_query
from rosetta.dialects.postgres import startup_options
from rosetta.lsn import Lsn

HEARTBEAT_SECONDS = 0.5


def connector_properties(source: EngineSource, start: Lsn, server: str, memory: Memory) -> dict[str, str]:
    """The properties of one engine that starts at `start`; `server` names it within the JVM.

    Debezium tries nothing again by itself: after a failure we look at the slot before we go on, for Debezium
    would make a new slot in place of a lost one.
    """
    endpoint = source.endpoint
    return {
        "name": server,
        "topic.prefix": server,
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "database.hostname": endpoint.host,
        "database.port": str(endpoint.port),
        "database.dbname": endpoint.database,
        "database.user": endpoint.user,
        "database.password": endpoint.password,
        "database.sslmode": endpoint.sslmode,
        "driver.options": startup_options(),
        "driver.socketTimeout": "25",
        "driver.connectTimeout": "10",
        "publication.name": source.publication,
        "publication.autocreate.mode": "disabled",
        "slot.name": source.slot,
        "slot.drop.on.stop": "false",
        "slot.max.retries": "4",
        "slot.retry.delay.ms": "500",
        "snapshot.mode": "no_data",
        "offset.storage": "rosetta.engine.StartOffset",
        "offset.storage.rosetta.lsn": str(int(start)),
        "offset.flush.interval.ms": "0",
        "errors.max.retries": "0",
        "converters": "rosetta",
        "rosetta.type": "rosetta.engine.RawText",
        "binary.handling.mode": "bytes",
        "include.unknown.datatypes": "true",
        "message.prefix.include.list": "rosetta",
        "skipped.operations": "none",
        "tombstones.on.delete": "false",
        "heartbeat.interval.ms": str(round(HEARTBEAT_SECONDS * 1000)),
        "heartbeat.action.query": quiet_slot_query(source.slot),
        "status.update.interval.ms": "2000",
        "max.batch.size": str(memory.batch_rows),
        "max.queue.size": str(memory.queue_rows),
        "max.queue.size.in.bytes": str(memory.queue_bytes),
        "poll.interval.ms": "10",
    }
