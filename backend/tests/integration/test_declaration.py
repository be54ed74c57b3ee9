"""Configuration as code against a real server: plan, apply, export."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.main import create_app
from tests.clients import Sql, Tokens

from rosetta.declaration import Action, export_document, load_document, make_plan
from rosetta.declaration.carrying_out import carry_out
from rosetta.enums import Role
from rosetta.errors import ConfigurationError, OutageError
from rosetta.local.ports import free_port
from rosetta.remote import Remote
from rosetta.tests.waiting import eventually

SECRET = "canary-password"
DECLARED: dict[str, Any] = {
    "version": 1,
    "sources": [
        {
            "name": "shop",
            "pg_host": "127.0.0.1",
            "pg_database": "shop",
            "pg_username": "rosetta",
            "pg_password": {"env": "SHOP_PASSWORD"},
            "publication_name": "shop_pub",
        }
    ],
    "destinations": [
        {
            "name": "warehouse",
            "type": "POSTGRESQL",
            "config": {
                "pg_host": "127.0.0.1",
                "pg_database": "warehouse",
                "pg_username": "rosetta",
                "pg_password": {"env": "SHOP_PASSWORD"},
            },
        },
        {
            "name": "archive",
            "type": "POSTGRESQL",
            "config": {"pg_host": "127.0.0.1", "pg_database": "archive", "pg_username": "rosetta"},
        },
    ],
    "pipelines": [
        {
            "name": "orders",
            "source": "shop",
            "status": "START",
            "profile": "fast",
            "destinations": [
                {"destination": "warehouse"},
                {
                    "destination": "archive",
                    "park_policy": "detach",
                    "tables": [{"table_name": "orders", "mode": "append"}, {"table_name": "lines"}],
                },
            ],
        }
    ],
}


@pytest.fixture
def remote(settings: Settings, tokens: Tokens) -> Iterator[Remote]:
    """A server in a thread, and an admin's way to it."""
    port = free_port()
    app = create_app(settings.model_copy(update={"wal_monitor_enabled": False}), DatabaseManager())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: server.started, 30)
    with Remote(f"http://127.0.0.1:{port}", tokens[Role.ADMIN]) as made:
        yield made
    server.should_exit = True
    thread.join(20)


def declare(folder: Path, content: Any) -> Path:
    path = folder / "rosetta.yaml"
    # through JSON, so that what is said twice is no alias
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(json.loads(json.dumps(content))))
    return path


def bring_about(folder: Path, content: Any, remote: Remote) -> list[str]:
    """Applies; what was done."""
    done: list[Action] = []
    carry_out(make_plan(load_document(declare(folder, content)), remote), remote, done.append)
    return [f"{action.verb} {action.subject}" for action in done]


def changed(base: dict[str, Any], **pipeline: Any) -> dict[str, Any]:
    return {**base, "pipelines": [{**base["pipelines"][0], **pipeline}]}


def test_applying_makes_what_is_declared_and_again_does_nothing(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    assert bring_about(tmp_path, DECLARED, remote) == [
        "create source shop",
        "create destination warehouse",
        "create destination archive",
        "create pipeline orders",
        "create destination warehouse of pipeline orders",
        "create destination archive of pipeline orders",
        "change pipeline orders",
    ]
    assert bring_about(tmp_path, DECLARED, remote) == []
    assert sql("SELECT status, profile FROM pipelines") == [("START", "fast")]
    joins = sql(
        "SELECT d.name, j.park_policy, j.sync_all_tables FROM pipeline_destinations j JOIN destinations d"
        " ON d.id = j.destination_id ORDER BY 1"
    )
    assert joins == [("archive", "detach", False), ("warehouse", "block", True)]
    assert sql("SELECT table_name, mode FROM table_syncs ORDER BY 1") == [("lines", "current"), ("orders", "append")]
    assert sql("SELECT pg_password LIKE 'rsk1:%' FROM sources") == [(True,)]


def test_a_drift_is_shown_and_mended(remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    bring_about(tmp_path, DECLARED, remote)
    sql("UPDATE sources SET pg_host = 'elsewhere'")
    sql("UPDATE pipelines SET status = 'PAUSE', wal_budget_bytes = 5")
    sql("UPDATE pipeline_destinations SET park_policy = 'block'")
    sql("DELETE FROM table_syncs WHERE table_name = 'lines'")
    made = make_plan(load_document(declare(tmp_path, DECLARED)), remote)
    shown = [(action.verb, action.subject, action.changes) for action in made.actions]
    assert shown[0] == ("change", "source shop", (("pg_host", "elsewhere", "127.0.0.1"),))
    assert len(shown) == 5
    bring_about(tmp_path, DECLARED, remote)
    assert bring_about(tmp_path, DECLARED, remote) == []


def test_what_the_file_no_longer_names_leaves_a_pipeline_but_not_the_installation(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    bring_about(tmp_path, DECLARED, remote)
    less = changed(
        {**DECLARED, "destinations": DECLARED["destinations"][:1]}, destinations=[{"destination": "warehouse"}]
    )
    assert make_plan(load_document(declare(tmp_path, less)), remote).undeclared == ("destination archive",)
    assert bring_about(tmp_path, less, remote) == ["remove destination archive of pipeline orders"]
    assert sql("SELECT count(*) FROM destinations") == [(2,)]


def test_an_export_is_a_declaration_of_what_is_there(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    bring_about(tmp_path, DECLARED, remote)
    text = export_document(remote)
    assert SECRET not in text
    exported = yaml.safe_load(text)
    assert exported["sources"][0]["pg_password"] == {"env": "SHOP_PG_PASSWORD"}
    assert exported["pipelines"] == DECLARED["pipelines"]
    assert bring_about(tmp_path, text, remote) == [], "nothing that was exported is different"


def test_a_missing_secret_changes_nothing(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    with pytest.raises(ConfigurationError, match="SHOP_PASSWORD is not set"):
        bring_about(tmp_path, DECLARED, remote)
    for path, told in (("/dev/zero", "more than"), (str(tmp_path / "absent"), "FileNotFoundError")):
        declared = {**DECLARED, "sources": [{**DECLARED["sources"][0], "pg_password": {"file": path}}]}
        with pytest.raises(ConfigurationError, match=told):
            bring_about(tmp_path, declared, remote)
    assert sql("SELECT (SELECT count(*) FROM sources) + (SELECT count(*) FROM destinations)") == [(0,)]


def test_secrets_are_sent_again_when_asked_for(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    bring_about(tmp_path, DECLARED, remote)
    before = sql("SELECT pg_password FROM sources")
    made = make_plan(load_document(declare(tmp_path, DECLARED)), remote, renew_secrets=True)
    assert [action.subject for action in made.actions] == ["source shop", "destination warehouse"]
    assert SECRET not in repr(made)
    carry_out(made, remote, lambda _: None)
    assert sql("SELECT pg_password FROM sources") != before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("version: 2\n", "version"),
        ("version: 1\nsurces: []\n", "surces"),
        ("[1, 2]\n", "mapping"),
        ("version: 1\nsources: [{name: s, pg_password: plaintext}]\n", "sources.0"),
        ("version: 1\na: &x [1]\nb: *x\n", "anchors"),
        ("version: 1\nsources: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("version: 1\nversion: 1\n", "twice"),
        ("version: 1\nsources: [\n", "expected"),
        ("[" * 20_000, "nested too deeply"),
        ("\x00", "no YAML"),
        (changed(DECLARED, source="nowhere"), "names the source nowhere"),
        (changed(DECLARED, destinations=[{"destination": "warehouse"}] * 2), "more than once"),
        ({**DECLARED, "sources": DECLARED["sources"] * 2}, "more than once"),
    ],
)
def test_a_hostile_file_gets_a_clear_error_and_changes_nothing(
    remote: Remote, tmp_path: Path, sql: Sql, content: Any, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as refused:
        bring_about(tmp_path, content, remote)
    assert "plaintext" not in refused.value.message
    assert sql("SELECT count(*) FROM sources") == [(0,)]


def test_what_the_api_refuses_says_where(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: Sql
) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    bad = {**DECLARED, "sources": [{**DECLARED["sources"][0], "pg_port": 70_000}]}
    with pytest.raises(ConfigurationError, match=r"source shop: POST sources: .*pg_port"):
        bring_about(tmp_path, bad, remote)
    assert sql("SELECT count(*) FROM sources") == [(0,)]


def test_an_api_that_is_away_is_an_outage(tmp_path: Path) -> None:
    with Remote(f"http://127.0.0.1:{free_port()}", "token") as nobody, pytest.raises(OutageError):
        make_plan(load_document(declare(tmp_path, DECLARED)), nobody)
