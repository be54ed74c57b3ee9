"""Creates the sample pipeline through the public API, as a person would; what is there already is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rosetta.local.demo import SCHEMA
from rosetta.remote import Json, Remote

SOURCE_NAME: Final = "sample shop"
PIPELINE_NAME: Final = "sample"


@dataclass(frozen=True, slots=True)
class Place:
    """A database of the sample: `name` is that of the database and of its role."""

    name: str
    port: int
    password: str = field(repr=False)

    def connection(self) -> Json:
        return {
            "pg_host": "127.0.0.1",
            "sslmode": "disable",
            "pg_port": self.port,
            "pg_database": self.name,
            "pg_username": self.name,
            "pg_password": self.password,
        }


def ensure_sample(api: Remote, source: Place, targets: list[Place]) -> int:
    """Source, publication, a destination for each target and a started pipeline; returns the pipeline's id.

    Safe to call again: ports and passwords follow the running stack, a pipeline that a person paused stays paused,
    and a destination that a person took out of it stays out.
    """
    shop = _ensure(api, "sources", {**source.connection(), "name": SOURCE_NAME, "publication_name": "rosetta_sample"})
    known = {target.name for target in targets if api.named("destinations", f"sample {target.name}") is not None}
    destinations = {
        target.name: _ensure(
            api,
            "destinations",
            {"name": f"sample {target.name}", "type": "POSTGRESQL", "config": target.connection()},
        )["id"]
        for target in targets
    }
    existing = api.named("pipelines", PIPELINE_NAME)
    if existing is not None:
        for name in destinations.keys() - known:
            api.call("POST", f"pipelines/{existing['id']}/destinations", {"destination_id": destinations[name]})
        return int(existing["id"])
    api.call("POST", f"sources/{shop['id']}/publication", {"schemas": [SCHEMA]})
    body = {"name": PIPELINE_NAME, "source_id": shop["id"], "destination_ids": list(destinations.values())}
    pipeline = int(api.call("POST", "pipelines", body)["id"])
    api.call("POST", f"pipelines/{pipeline}/start")
    return pipeline


def _ensure(api: Remote, path: str, body: Json) -> Json:
    """Creates the entity, or brings the one of that name to `body`."""
    found = api.named(path, body["name"])
    if found is None:
        created: Json = api.call("POST", path, body)
        return created
    if not _differs(body, found):
        return found
    updated: Json = api.call("PUT", f"{path}/{found['id']}", body)
    return updated


def _differs(body: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether something that can be seen differs; secrets cannot be, and a stack's never change."""
    return any(
        _differs(value, found[key]) if isinstance(value, dict) else value != found[key]
        for key, value in body.items()
        if key in found
    )
