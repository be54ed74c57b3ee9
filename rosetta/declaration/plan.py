"""What must be done so that an installation is as declared. Pure but for reading: `Plan.actions` do it, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rosetta.declaration.document import (
    SECRET_FIELDS,
    DeclaredDestination,
    DeclaredFanOut,
    DeclaredPipeline,
    DeclaredSource,
    DeclaredTable,
    Document,
    SecretReference,
)
from rosetta.errors import ConfigurationError
from rosetta.remote import Json, Remote

_TUNING: Final = ("engine", "profile", "max_batch_rows", "max_queue_rows", "wal_budget_bytes", "wal_budget_policy")
_SYNC: Final = ("mode", "delete_mode", "schema_policy", "columns", "filters", "custom_sql", "masks")


@dataclass(frozen=True, slots=True)
class Action:
    """One request. `path` may name what an earlier action makes: `{source:shop}`, `{destination:x}`, `{pipeline:p}`.

    Attributes:
        verb: create, change or remove.
        subject: what it is about, for people.
        changes: fields with their values before and after; a secret shows as `(secret)`.
    """

    verb: str
    subject: str
    method: str
    path: str
    body: Json | None = None
    changes: tuple[tuple[str, object, object], ...] = ()
    secrets: Mapping[str, SecretReference] = field(default_factory=dict)
    makes: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`undeclared`: what is there and not in the file; it stays."""

    actions: tuple[Action, ...]
    undeclared: tuple[str, ...]
    known: Mapping[str, int]


def make_plan(document: Document, remote: Remote, *, renew_secrets: bool = False) -> Plan:
    """Compares the document with the installation.

    Secrets cannot be compared: they are sent when something is made, and all of them with `renew_secrets`.

    Raises ConfigurationError for a name that neither the document nor the installation has, and for what cannot be
    changed; OutageError.
    """
    there = {
        kind: {row["name"]: row for row in remote.all(f"{kind}s")} for kind in ("source", "destination", "pipeline")
    }
    known = {f"{kind}:{name}": int(row["id"]) for kind, rows in there.items() for name, row in rows.items()}
    declared = {
        "source": [one.name for one in document.sources],
        "destination": [one.name for one in document.destinations],
        "pipeline": [one.name for one in document.pipelines],
    }
    _check_names(document, there, declared)
    actions: list[Action] = []
    for source in document.sources:
        actions += _source(source, there["source"].get(source.name), renew_secrets)
    for destination in document.destinations:
        actions += _destination(destination, there["destination"].get(destination.name), renew_secrets)
    for pipeline in document.pipelines:
        actions += _pipeline(pipeline, there["pipeline"].get(pipeline.name))
    undeclared = [f"{kind} {name}" for kind, rows in there.items() for name in rows if name not in declared[kind]]
    return Plan(tuple(actions), tuple(undeclared), known)


def _check_names(
    document: Document, there: Mapping[str, Mapping[str, Json]], declared: Mapping[str, list[str]]
) -> None:
    for pipeline in document.pipelines:
        wanted = [("source", pipeline.source), *(("destination", one.destination) for one in pipeline.destinations)]
        for kind, name in wanted:
            if name not in declared[kind] and name not in there[kind]:
                raise ConfigurationError(
                    f"pipeline {pipeline.name} names the {kind} {name}, which is neither declared nor there",
                    code="UNKNOWN_NAME",
                    remedy=f"Declare the {kind}, or correct its name.",
                )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A source or destination as declared: what can be compared, and what cannot."""

    kind: str
    name: str
    fields: Json
    secrets: Mapping[str, SecretReference]


def _source(source: DeclaredSource, row: Json | None, renew_secrets: bool) -> list[Action]:
    fields = source.model_dump(exclude={"pg_password"}, mode="json")
    if fields["replication_id"] is None:
        del fields["replication_id"]  # the source's id, chosen when it is made
    secrets = {} if source.pg_password is None else {"pg_password": source.pg_password}
    return _entity(_Wanted("source", source.name, fields, secrets), row, renew_secrets)


def _destination(destination: DeclaredDestination, row: Json | None, renew_secrets: bool) -> list[Action]:
    config = {key: value for key, value in destination.config.items() if key not in SECRET_FIELDS and value is not None}
    secrets = {key: value for key, value in destination.config.items() if isinstance(value, SecretReference)}
    fields = {"name": destination.name, "type": destination.type.value, "config": config}
    if row is None:
        return _entity(_Wanted("destination", destination.name, fields, secrets), None, renew_secrets)
    if row["type"] != destination.type:
        raise ConfigurationError(
            f"destination {destination.name} is of type {row['type']}", remedy="Give the new one another name."
        )
    known = {**row, "config": {key: row["config"].get(key) for key in config}}
    return _entity(_Wanted("destination", destination.name, fields, secrets), known, renew_secrets)


def _entity(wanted: _Wanted, row: Json | None, renew_secrets: bool) -> list[Action]:
    subject, secrets = f"{wanted.kind} {wanted.name}", wanted.secrets
    if row is None:
        changes = (*_shown(wanted.fields, {}), *((key, None, "(secret)") for key in secrets))
        makes = f"{wanted.kind}:{wanted.name}"
        return [Action("create", subject, "POST", f"{wanted.kind}s", wanted.fields, changes, secrets, makes)]
    changes = _shown(wanted.fields, row)
    renewed = secrets if renew_secrets else {}
    if not changes and not renewed:
        return []
    body = {key: wanted.fields[key] for key, _, _ in changes}
    shown = (*changes, *((key, "(secret)", "(secret)") for key in renewed))
    return [Action("change", subject, "PUT", f"{wanted.kind}s/{row['id']}", body, shown, renewed)]


def _shown(wanted: Json, before: Json) -> tuple[tuple[str, object, object], ...]:
    return tuple((key, before.get(key), value) for key, value in wanted.items() if before.get(key) != value)


def _pipeline(pipeline: DeclaredPipeline, row: Json | None) -> list[Action]:
    tuning = {name: _plain(getattr(pipeline, name)) for name in _TUNING}
    subject, actions = f"pipeline {pipeline.name}", list[Action]()
    place = f"pipelines/{{pipeline:{pipeline.name}}}"
    if row is None:
        body = {"name": pipeline.name, "source_id": f"{{source:{pipeline.source}}}", **tuning}
        changes = (("source", None, pipeline.source), *_shown(tuning, {}))
        actions.append(Action("create", subject, "POST", "pipelines", body, changes, {}, f"pipeline:{pipeline.name}"))
    else:
        if row["source"]["name"] != pipeline.source:
            raise ConfigurationError(
                f"{subject} reads from {row['source']['name']}: the source of a pipeline cannot change",
                code="SOURCE_IS_FIXED",
                remedy="Declare a new pipeline for the other source.",
            )
        changes = _shown(tuning, row)
        if changes:
            body = {key: value for key, _, value in changes}
            actions.append(Action("change", subject, "PUT", place, body, changes))
    actions += _fan_out(pipeline, (row or {}).get("destinations", []), place)
    status = (row or {}).get("status", "PAUSE")
    if pipeline.status.value != ("PAUSE" if status == "PAUSE" else "START"):
        verb = "start" if pipeline.status.value == "START" else "pause"
        shown = (("status", status, pipeline.status.value),)
        actions.append(Action("change", subject, "POST", f"{place}/{verb}", None, shown))
    return actions


def _fan_out(pipeline: DeclaredPipeline, joined: Sequence[Json], place: str) -> list[Action]:
    there = {join["destination"]["name"]: join for join in joined}
    wanted = {one.destination for one in pipeline.destinations}
    actions = [
        Action(
            "remove",
            f"destination {name} of pipeline {pipeline.name}",
            "DELETE",
            f"{place}/destinations/{join['destination_id']}",
        )
        for name, join in there.items()
        if name not in wanted
    ]
    for one in pipeline.destinations:
        subject = f"destination {one.destination} of pipeline {pipeline.name}"
        join = there.get(one.destination)
        below = f"{place}/destinations/{{destination:{one.destination}}}"
        if join is None:
            body: Json = {
                "destination_id": f"{{destination:{one.destination}}}",
                "park_policy": one.park_policy.value,
                "sync_all_tables": one.tables is None,
                "table_syncs": [_table(table) for table in one.tables or ()],
            }
            shown = (("park_policy", None, one.park_policy.value), ("tables", None, _count(one)))
            actions.append(Action("create", subject, "POST", f"{place}/destinations", body, shown))
            continue
        settings = {"park_policy": one.park_policy.value, "sync_all_tables": one.tables is None}
        changes = _shown(settings, join)
        if changes:
            body = {key: value for key, _, value in changes}
            actions.append(Action("change", subject, "PUT", below, body, changes))
        if one.tables is not None:
            actions += _tables(one.tables, join["table_syncs"], f"{below}/tables", subject)
    return actions


def _tables(tables: Sequence[DeclaredTable], syncs: Sequence[Json], place: str, parent: str) -> list[Action]:
    there = {_identity(sync): sync for sync in syncs}
    actions: list[Action] = []
    for table in tables:
        subject = f"table {table.schema_name}.{table.table_name} at {parent}"
        sync = there.pop(table.identity, None)
        if sync is None:
            actions.append(Action("create", subject, "POST", place, _table(table), _shown(_table(table), {})))
            continue
        changes = _shown({name: _table(table)[name] for name in _SYNC}, sync)
        if changes:
            body = {key: value for key, _, value in changes}
            actions.append(Action("change", subject, "PUT", f"{place}/{sync['id']}", body, changes))
    for sync in there.values():
        subject = f"table {sync['schema_name']}.{sync['table_name']} at {parent}"
        actions.append(Action("remove", subject, "DELETE", f"{place}/{sync['id']}"))
    return actions


def _identity(sync: Json) -> tuple[str, str, str | None, str | None]:
    return sync["schema_name"], sync["table_name"], sync["target_schema"], sync["target_name"]


def _table(table: DeclaredTable) -> Json:
    return table.model_dump(mode="json")


def _count(one: DeclaredFanOut) -> str:
    return "every table" if one.tables is None else f"{len(one.tables)} named"


def _plain(value: Any) -> Any:
    return getattr(value, "value", value)
