"""A ledger on a real config database, and a Valkey beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from compute.core.catalog.database import ConfigDatabase
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.ledger import Ledger
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.valkey import Valkey
from rosetta.local.postgres import PostgresCluster
from rosetta.secrets import Keyring

SECRET = "a key for tests that nobody else has 0123456789"


@dataclass
class Queue:
    """One pipeline with one destination and one table, as the config database knows it, and what parks there."""

    config: ConfigSql
    pipeline_id: int
    source_id: int
    destination_id: int
    sync_id: int
    ledger: Ledger
    valkey: Valkey
    dispatcher: Dispatcher

    def new_owner(self) -> None:
        """Another process takes the pipeline."""
        self.config.run("UPDATE pipeline_leases SET epoch = epoch + 1 WHERE pipeline_id = %s", self.pipeline_id)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    made = Valkey(Path(tmp_path_factory.mktemp("valkey")) / "data")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def queue(cluster: PostgresCluster, config: ConfigSql, valkey: Valkey) -> Iterator[Queue]:
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
