"""Writes what an installation has as a file that `apply` takes; secrets become names of variables."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from rosetta.declaration.document import DeclaredFanOut, DeclaredPipeline, DeclaredSource, DeclaredTable
from rosetta.remote import Json, Remote

_HEAD: Final = (
    "# Written by `rosetta export`. Secrets are not in it: set the variables that it names, then `rosetta apply`.\n"
)


def export_document(remote: Remote) -> str:
    """The file. Raises OutageError or ConfigurationError as the API does."""
    document: Json = {"version": 1}
    sources = [_source(row) for row in remote.all("sources")]
    destinations = [_destination(row) for row in remote.all("destinations")]
    pipelines = [_pipeline(row) for row in remote.all("pipelines")]
    for kind, rows in (("sources", sources), ("destinations", destinations), ("pipelines", pipelines)):
        if rows:
            document[kind] = rows
    return _HEAD + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _source(row: Json) -> Json:
    found = _declared(DeclaredSource, row, ("name", "pg_host", "pg_database", "pg_username", "publication_name"))
    if row["has_password"]:
        found["pg_password"] = {"env": _variable(row["name"], "pg_password")}
    return found


def _destination(row: Json) -> Json:
    secrets = {key: {"env": _variable(row["name"], key)} for key, is_set in row["secrets"].items() if is_set}
    return {"name": row["name"], "type": row["type"], "config": {**row["config"], **secrets}}


def _pipeline(row: Json) -> Json:
    flat = {**row, "source": row["source"]["name"], "status": "PAUSE" if row["status"] == "PAUSE" else "START"}
    del flat["destinations"]
    return _declared(DeclaredPipeline, flat, ("name", "source", "status")) | {
        "destinations": [_fan_out(join) for join in row["destinations"]]
    }


def _fan_out(join: Json) -> Json:
    found = _declared(DeclaredFanOut, {**join, "destination": join["destination"]["name"]}, ("destination",))
    if not join["sync_all_tables"]:
        found["tables"] = [_declared(DeclaredTable, sync, ("table_name",)) for sync in join["table_syncs"]]
    return found


def _declared(model: Any, row: Json, always: tuple[str, ...]) -> Json:
    """The fields that the file knows; those with their default are left out."""
    found: Json = {}
    for name, field in model.model_fields.items():
        if name not in row:
            continue
        default = field.get_default(call_default_factory=True)
        if name in always or row[name] != getattr(default, "value", default):
            found[name] = row[name]
    return found


def _variable(name: str, field: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", f"{name}_{field}".upper()).strip("_")
