"""`decide` as a table: state and wish of a table sync -> the next step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.core.catalog.plan import TableSyncPlan
from compute.core.table_steps import Step, decide
from rosetta.enums import DeleteMode, ReplicaIdentity, SyncMode, TableSyncDesired, TableSyncState
from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.table_rules import TableRules
from rosetta.types import Column, TableSchema

TABLE = TableId("public", "t")
SCHEMA = TableSchema(TABLE, (Column("id", "bigint"),), ("id",))
KEYLESS = replace(SCHEMA, key=())
FULL = replace(KEYLESS, replica_identity=ReplicaIdentity.FULL)
UNKNOWN = TableRules.parse(["id", "nope"], None, None)


def sync(state: TableSyncState, desired: TableSyncDesired = TableSyncDesired.ACTIVE, **more: object) -> TableSyncPlan:
    plan = TableSyncPlan(1, TABLE, None, None, SyncMode.CURRENT, DeleteMode.HARD, desired, state)
    return replace(plan, **more)  # type: ignore[arg-type]


S, D = TableSyncState, TableSyncDesired
CASES = [
    (sync(S.PENDING), SCHEMA, False, Step.COPY),
    (sync(S.RESYNC), SCHEMA, False, Step.COPY),
    (sync(S.PAUSED), SCHEMA, False, Step.COPY),
    (sync(S.COPYING), SCHEMA, False, Step.RESUME_COPY),
    (sync(S.STREAMING), SCHEMA, False, Step.STREAM),
    (sync(S.COPYING), SCHEMA, True, Step.NOTHING),
    (sync(S.STREAMING), SCHEMA, True, Step.NOTHING),
    (sync(S.STREAMING, D.RESYNC), SCHEMA, True, Step.COPY),
    (sync(S.ERROR, D.RESYNC), SCHEMA, False, Step.COPY),
    (sync(S.ERROR, error_code="PG_22003"), SCHEMA, False, Step.NOTHING),
    (sync(S.ERROR, error_code="TABLE_NOT_PUBLISHED"), SCHEMA, False, Step.COPY),
    (sync(S.ERROR, error_code="PG_42501", held=True), SCHEMA, False, Step.STREAM),
    (sync(S.ERROR, D.RESYNC, error_code="PG_42501", held=True), SCHEMA, False, Step.COPY),
    (sync(S.ERROR, error_code="TABLE_NOT_PUBLISHED", held=True), SCHEMA, False, Step.COPY),
    (sync(S.ERROR, error_code="PG_42501", held=True), SCHEMA, True, Step.NOTHING),
    (sync(S.STREAMING, D.PAUSED), SCHEMA, True, Step.PAUSE),
    (sync(S.PAUSED, D.PAUSED), SCHEMA, False, Step.NOTHING),
    (sync(S.PENDING), None, False, Step.REFUSE),
    (sync(S.STREAMING), None, True, Step.REFUSE),
    (sync(S.ERROR, error_code="TABLE_NOT_PUBLISHED"), None, False, Step.NOTHING),
    (sync(S.PENDING), KEYLESS, False, Step.REFUSE),
    (sync(S.PENDING), FULL, False, Step.COPY),
    (sync(S.PENDING, mode=SyncMode.APPEND), KEYLESS, False, Step.COPY),
    (sync(S.PENDING, problem=ConfigurationError("no rule")), SCHEMA, False, Step.REFUSE),
    (sync(S.PENDING, rules=UNKNOWN), SCHEMA, False, Step.REFUSE),
    (sync(S.STREAMING, rules=UNKNOWN), SCHEMA, True, Step.REFUSE),
    (sync(S.ERROR, error_code="TABLE_RULES_INVALID", rules=UNKNOWN), SCHEMA, False, Step.NOTHING),
    (sync(S.ERROR, error_code="TABLE_RULES_INVALID"), SCHEMA, False, Step.COPY),
    (sync(S.ERROR, error_code="CUSTOM_SQL_REFUSED"), SCHEMA, False, Step.COPY),
]


@pytest.mark.parametrize(("plan", "schema", "served", "expected"), CASES)
def test_step(plan: TableSyncPlan, schema: TableSchema | None, served: bool, expected: Step) -> None:
    assert decide(plan, schema, served=served).step is expected


def test_two_tables_never_share_a_target() -> None:
    decision = decide(sync(S.PENDING), SCHEMA, served=False, conflict=True)
    assert decision.step is Step.REFUSE
    assert decision.failure is not None
    assert decision.failure.code == "TARGET_CONFLICT"


def test_every_refusal_of_the_source_says_how_to_mend_it() -> None:
    for schema in (None, KEYLESS):
        failure = decide(sync(S.PENDING), schema, served=False).failure
        assert failure is not None
        assert failure.remedy is not None
