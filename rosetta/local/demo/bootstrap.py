"""Creates the sample pipeline through the public API, as a person would; what is there already is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import httpx

from rosetta.errors import ConfigurationError, OutageError
from rosetta.local.demo import SCHEMA

SOURCE_NAME: Final = "sample shop"
DESTINATION_NAME: Final = "sample warehouse"
PIPELINE_NAME: Final = "sample"


class Api:
    """The backend's API with a bearer token. Every call raises OutageError or ConfigurationError, with the remedy."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None) -> Any:
        """The answer's JSON, None where it has none."""
        try:
            response = self._client.request(method, path, json=body, params=query)
        except httpx.HTTPError as error:
            raise OutageError(f"{method} {path}: the backend does not answer ({type(error).__name__})") from None
        if response.is_success:
            return response.json() if response.content else None
        answer = response.json() if response.headers.get("content-type", "").startswith("application/json") else {}
        kind = OutageError if response.status_code >= 500 else ConfigurationError
        raise kind(
            f"{method} {path}: {response.status_code} {answer.get('message', response.reason_phrase)}",
            remedy=answer.get("remedy"),
            code=answer.get("code"),
        )

    def named(self, path: str, name: str) -> dict[str, Any] | None:
        """The entity of exactly this name."""
        items = self.call("GET", path, query={"name": name})["items"]
        return next((item for item in items if item["name"] == name), None)

    def ensure(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Creates the entity, or brings the one of that name to `body`."""
        found = self.named(path, body["name"])
        if found is None:
            created: dict[str, Any] = self.call("POST", path, body)
            return created
        if not _differs(body, found):
            return found
        updated: dict[str, Any] = self.call("PUT", f"{path}/{found['id']}", body)
        return updated


def _differs(body: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether something that can be seen differs; secrets cannot be, and a stack's never change."""
    return any(
        _differs(value, found[key]) if isinstance(value, dict) else value != found[key]
        for key, value in body.items()
        if key in found
    )


def ensure_sample(api: Api, source_port: int, source_password: str, target_port: int, target_password: str) -> int:
    """Source, publication, destination and a started pipeline; returns the pipeline's id.

    Safe to call again: ports and passwords follow the running stack, and a pipeline that a person paused stays paused.
    """
    at_home = {"pg_host": "127.0.0.1", "sslmode": "disable"}
    source = api.ensure(
        "/sources",
        {
            **at_home,
            "name": SOURCE_NAME,
            "pg_port": source_port,
            "pg_database": "shop",
            "pg_username": "shop",
            "pg_password": source_password,
            "publication_name": "rosetta_sample",
        },
    )
    config = {
        **at_home,
        "pg_port": target_port,
        "pg_database": "warehouse",
        "pg_username": "warehouse",
        "pg_password": target_password,
    }
    destination = api.ensure("/destinations", {"name": DESTINATION_NAME, "type": "POSTGRESQL", "config": config})
    existing = api.named("/pipelines", PIPELINE_NAME)
    if existing is not None:
        return int(existing["id"])
    api.call("POST", f"/sources/{source['id']}/publication", {"schemas": [SCHEMA]})
    body = {"name": PIPELINE_NAME, "source_id": source["id"], "destination_ids": [destination["id"]]}
    pipeline = int(api.call("POST", "/pipelines", body)["id"])
    api.call("POST", f"/pipelines/{pipeline}/start")
    return pipeline
