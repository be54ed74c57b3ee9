"""Planted secrets are found nowhere: not in an answer, not in a log at DEBUG, not in a dump of the database."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from app.core.config import Settings
from app.core.logging import configure
from fastapi import FastAPI
from tests.clients import API, endpoints_of

from rosetta.local.postgres import PostgresCluster

CANARY = "canary-7f3a9c"
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}pem\n-----END PRIVATE KEY-----\n"
REPORT = Path(__file__).parents[3] / ".reports" / "security.json"


async def plant(
    admin: httpx.AsyncClient, source_body: dict[str, Any], destination_body: dict[str, Any]
) -> list[httpx.Response]:
    """A source, two destinations, a user and a pipeline whose secrets are canaries; everything that was answered."""
    postgres = {**destination_body, "config": {**destination_body["config"], "pg_password": f"{CANARY}-target"}}
    snowflake = {
        "name": "flake",
        "snowflake_account": "a",
        "snowflake_user": "u",
        "snowflake_database": "d",
        "snowflake_schema": "s",
        "snowflake_private_key_path": PEM,
        "snowflake_private_key_passphrase": f"{CANARY}-phrase",
    }
    requests = [
        ("sources", {**source_body, "pg_password": f"{CANARY}-source"}),
        ("destinations", postgres),
        ("destinations", snowflake),
        ("users", {"email": "ada@example.org", "password": f"{CANARY}-user-password"}),
        ("pipelines", {"name": "p", "source_id": 1, "destination_ids": [1, 2]}),
        ("sources/1/duplicate", {}),
        ("destinations/2/duplicate", {}),
        # refused ones: what is wrong is said, what was sent is not
        ("sources/test-connection", {**source_body, "pg_password": f"{CANARY}-wrong"}),
        ("sources", {**source_body, "pg_password": f"{CANARY}-twice"}),
        ("sources", {**source_body, "name": "x", "pg_port": "no", "pg_password": f"{CANARY}-invalid"}),
        ("destinations", {**snowflake, "name": "y", "type": "POSTGRESQL"}),
        ("auth/login", {"email": "ada@example.org", "password": f"{CANARY}-guess"}),
        (f"nowhere?token={CANARY}", {"pg_password": CANARY}),
    ]
    return [await admin.post(f"{API}/{path}", json=body) for path, body in requests]


@pytest.fixture
def config_dump(cluster: PostgresCluster, config_database: str) -> Callable[[], str]:
    """What pg_dump writes of the config database."""
    command = [str(cluster.bin() / "pg_dump"), "--dbname", cluster.dsn(config_database)]
    return lambda: subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def printed_since(
    settings: Settings, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Callable[[], str]:
    """Everything that is logged, at the lowest level."""
    configure(settings.model_copy(update={"debug": True, "log_level": "DEBUG"}))
    caplog.set_level(logging.DEBUG)
    return lambda: "".join(capfd.readouterr()) + caplog.text


async def test_canaries_are_found_nowhere(
    app: FastAPI,
    config_dump: Callable[[], str],
    admin: httpx.AsyncClient,
    printed_since: Callable[[], str],
    source_body: dict[str, Any],
    destination_body: dict[str, Any],
) -> None:
    answers = await plant(admin, source_body, destination_body)
    for endpoint in endpoints_of(app):
        if endpoint.method == "GET" and endpoint.path != f"{API}/events":
            path = endpoint.path
            for name in ("source_id", "destination_id", "pipeline_id", "sync_id", "user_id", "record_id", "run_id"):
                path = path.replace(f"{{{name}}}", "1")
            answers.append(await admin.get(path))
    assert sum(answer.is_success for answer in answers) > 30
    dump = await asyncio.to_thread(config_dump)
    assert "rsk1:" in dump
    printed = printed_since()
    assert "request" in printed
    leaks = {
        "answers": sum(answer.text.count(CANARY) for answer in answers),
        "logs": printed.count(CANARY),
        "dump": dump.count(CANARY),
    }
    REPORT.parent.mkdir(exist_ok=True)
    known = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.write_text(json.dumps(known | {"canary_leaks": sum(leaks.values())}))
    assert leaks == {"answers": 0, "logs": 0, "dump": 0}
