"""What instances of the service use, for the dashboard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from compute.core.catalog.database import ConfigDatabase

_ADD = """
    INSERT INTO system_metrics (service, instance_id, metrics)
    VALUES ('compute', %(instance_id)s, CAST(%(metrics)s AS jsonb))"""


class Measurements:
    def __init__(self, database: ConfigDatabase, instance_id: str) -> None:
        self._database = database
        self._instance_id = instance_id

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Keeps them as of now. Raises OutageError."""
        with self._database.transaction() as session:
            session.execute(_ADD, {"instance_id": self._instance_id, "metrics": json.dumps(metrics)})
