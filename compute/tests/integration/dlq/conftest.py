"""A ledger on a real config database, and a Valkey beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compute.core.catalog.database import ConfigDatabase
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.ledger import Ledger
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.desk import Bench
from compute.tests.support.parked import Queue
from compute.tests.support.valkey import Valkey
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint
from rosetta.secrets import Keyring

SECRET = "a key for tests that nobody else has 0123456789"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    made = Valkey(Path(tmp_path_factory.mktemp("valkey")) / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def queue(cluster: PostgresCluster, config: ConfigSql, valkey: Valkey) -> Iterator[Queue]:
    valkey.start()
    valkey.flush()
    source_id = config.add_source(cluster, config.database)
    destination_id = config.add_destination(cluster, config.database)
    pipeline_id = config.add_pipeline("parks", source_id, destination_id)
    sync_id = config.one(
        "INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name)"
        " SELECT id, 'public', 'things' FROM pipeline_destinations RETURNING id"
    )
    config.run("INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch) VALUES (%s, 'me', 7)", pipeline_id)
    database = ConfigDatabase(config.url, application="ledger of a test", connections=4)
    keyring = Keyring.from_secret_key(SECRET)
    ledger = Ledger(database, keyring, pipeline_id, source_id, epoch=7)
    dispatcher = Dispatcher(valkey.url, "test:dlq", source_id, pipeline_id)
    yield Queue(config, pipeline_id, source_id, destination_id, sync_id, ledger, valkey, dispatcher)
    dispatcher.close()
    database.close()


@pytest.fixture
def bench(queue: Queue, cluster: PostgresCluster, new_database: Callable[[], str]) -> Iterator[Bench]:
    database = new_database()
    endpoint = PostgresEndpoint("127.0.0.1", cluster.port, database, cluster.superuser, cluster.password, "disable")
    connection = cluster.connect(database)
    made = Bench(queue, endpoint, connection)
    yield made
    made.close()
    connection.close()
