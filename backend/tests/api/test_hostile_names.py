"""Names are text: whatever stands in one is stored, found and shown as it is, and does nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from app.core.config import Settings
from tests.clients import API, Sql

NAMES = (
    "x'; DROP TABLE sources; --",
    'x"; DROP TABLE sources; --',
    "$1 %s %(name)s {0} :name",
    "a\r\nSet-Cookie: rosetta_session=stolen\r\n\r\n<script>alert(1)</script>",
    "../../../etc/passwd",
    "{{7*7}}${7*7}",
    "=cmd|' /C calc'!A0",
    "\u202etxt.exe\u200b\ufeff",
    '{"level":"error","event":"forged"}',
)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"log_folder": tmp_path})


async def test_a_name_does_nothing(
    admin: httpx.AsyncClient, sql: Sql, source_body: dict[str, Any], destination_body: dict[str, Any], tmp_path: Path
) -> None:
    for number, name in enumerate(NAMES):
        source = await admin.post(f"{API}/sources", json=source_body | {"name": name, "publication_name": f"p{number}"})
        destination = await admin.post(f"{API}/destinations", json=destination_body | {"name": name})
        body = {"name": name, "source_id": source.json()["id"], "destination_id": destination.json()["id"]}
        pipeline = await admin.post(f"{API}/pipelines", json=body)
        tag = await admin.post(f"{API}/tags", json={"name": name})
        for answer in (source, destination, pipeline, tag):
            assert (answer.status_code, answer.json()["name"]) == (201, name)
            assert "set-cookie" not in answer.headers
        listed = (await admin.get(f"{API}/pipelines", params={"name": name})).json()
        assert [(item["name"], item["source"]["name"]) for item in listed["items"]] == [(name, name)]
        shown = await admin.get(f"{API}/pipelines/{pipeline.json()['id']}")
        assert shown.json()["destinations"][0]["destination"]["name"] == name
        assert shown.headers["content-type"] == "application/json"
    for page in ("/metrics", f"{API}/dashboard/summary", f"{API}/audit-log"):
        answer = await admin.get(page)
        assert answer.status_code == 200, page
        assert "text/html" not in answer.headers["content-type"]
    rows = len(NAMES)
    assert sql("SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM pipelines)") == [(rows, rows)]
    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    assert {line["event"] for line in lines} >= {"request"}
    assert "forged" not in {line["event"] for line in lines}
