"""How tests speak to the application and look at its routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from app.core.config import Settings
from app.infrastructure.postgres import AsyncpgSource
from app.infrastructure.tasks.passes import Passes
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import _iter_routes_with_context
from sqlalchemy import event

from rosetta.enums import Role

Sql = Callable[..., list[tuple[Any, ...]]]
Tokens = dict[Role, str]
API = "/api/v1"


def client_of(app: FastAPI, token: str | None = None, **options: Any) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app=app, **options)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


def passes_of(app: FastAPI, settings: Settings, channels: Any = ()) -> Passes:
    """What the background tasks of `app` do, one pass at a time."""
    state = app.state
    return Passes(settings, state.database, state.keyring, AsyncpgSource(state.sessions), state.meters, channels)


async def make_pipeline(admin: httpx.AsyncClient, source_id: int, destination_body: dict[str, Any]) -> int:
    """The id of a new pipeline from this source to a new destination."""
    destination = (await admin.post(f"{API}/destinations", json=destination_body)).json()["id"]
    body = {"name": "p", "source_id": source_id, "destination_id": destination}
    found: int = (await admin.post(f"{API}/pipelines", json=body)).json()["id"]
    return found


@contextmanager
def counted(app: FastAPI) -> Iterator[list[str]]:
    """The statements that the application sends to the config database meanwhile."""
    statements: list[str] = []
    engine = app.state.database._engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path of the application."""

    method: str
    path: str
    call: Callable[..., Any]
    dependant: Dependant

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def endpoints_of(app: FastAPI) -> list[Endpoint]:
    """Every route that the application answers, also those outside its OpenAPI description."""
    found = []
    for route, context in _iter_routes_with_context(app.routes):
        place: Any = context or route
        found += [
            Endpoint(method, place.path, place.endpoint, place.dependant)
            for method in place.methods - {"HEAD", "OPTIONS"}
        ]
    return sorted(found, key=str)
