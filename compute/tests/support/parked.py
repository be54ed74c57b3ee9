"""One pipeline with one destination and one table, as the config database knows it, and what parks there."""

from __future__ import annotations

from dataclasses import dataclass

from compute.dlq.dispatcher import Dispatcher
from compute.dlq.ledger import Ledger
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.valkey import Valkey


@dataclass
class Queue:
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
