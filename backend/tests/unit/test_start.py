"""What the backend loads before it answers, and what it does with threads while it does."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from app.core.config import BACKEND_FOLDER, Settings
from app.main import create_app
from fastapi.dependencies.models import Dependant
from tests.clients import endpoints_of
from tests.conftest import SECRET_KEY

# With what brings it, when it is needed.
BANNED = {
    "pyarrow": "the process of custom SQL",
    "duckdb": "the process of custom SQL",
    "numpy": "with pyarrow",
    "pandas": "with Snowflake's connector, where it is installed",
    "snowflake": "the first session on an account",
    "opentelemetry.sdk": "an endpoint for traces",
    "opentelemetry.exporter": "an endpoint for traces",
    "typer": "for commands",
}


def test_an_application_is_made_without_what_only_some_requests_need(tmp_path: Path) -> None:
    code = "import sys; from app.main import create_app; create_app(); print(*sys.modules)"
    environment = {"DATABASE_URL": "postgresql://x/y", "SECRET_KEY": SECRET_KEY, "LOG_FOLDER": str(tmp_path)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=BACKEND_FOLDER, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "app.api.v1.router" in loaded
    assert {name: BANNED[name] for name in BANNED.keys() & set(loaded)} == {}


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for needed in dependant.dependencies:
        yield from _calls(needed)


def test_no_request_waits_for_a_thread(tmp_path: Path) -> None:
    app = create_app(
        Settings(_env_file=None, database_url="postgresql://x/y", secret_key=SECRET_KEY, log_folder=tmp_path)
    )
    calls = {call for endpoint in endpoints_of(app) for call in _calls(endpoint.dependant)}
    assert len(calls) > 100
    assert {
        call for call in calls if not (inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call))
    } == set()
