"""Columns, masks and filters of table syncs, from both engines to the target, through copies, outages and replays."""

from __future__ import annotations

import hashlib
import hmac
import random
from typing import Any

import pytest

from compute.tests.support.side_load import SourceLoad
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.dead_letters import open_payload
from rosetta.enums import EngineKind
from rosetta.secrets import Keyring
from rosetta.verification.pipeline import Selection, verify_pipelines
from rosetta.verification.request import Bounds

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROWS = 300
CANARY = "canary\\\t'"
KEYRING = Keyring.from_secret_key("a secret key for tests")
TABLE = f"""
CREATE TABLE people (id int PRIMARY KEY, email text, age int, bio text, note text);
ALTER TABLE people ALTER bio SET STORAGE EXTERNAL;
INSERT INTO people SELECT n, E'canary\\\\\\t''' || n, n % 40, repeat(md5(n::text), 100), 'n' || n
  FROM generate_series(1, {ROWS}) n;
CREATE TABLE visits (person int, place text);
ALTER TABLE visits REPLICA IDENTITY FULL;
INSERT INTO visits SELECT n % 50, 'p' || n % 7 FROM generate_series(1, {ROWS}) n;
"""
# target: columns, masks, filters
SYNCS = {
    "adults": ('{"id": "key", "email": "mail", "age": "years", "bio": "bio"}', '{"email": "hash"}', '["age >= 18"]'),
    "children": (None, '{"email": "redact", "note": "null"}', '["age < 18", "note IS NOT NULL"]'),
    "hidden": ('["id", "bio"]', '{"id": "hash"}', "[]"),
    "wrong": ('["id", "nope"]', "{}", "[]"),
}
STATEMENT = """
SELECT id AS nr, md5(email || 'pepper') AS mail, age * 12 AS months, length(bio) AS length FROM batch WHERE age % 2 = 0
"""
LOOSE = ('["place"]', "{}", """["place <> 'p3'"]""")

Row = tuple[Any, ...]


class Writer(SourceLoad):
    """Changes people and visits."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, 0.01)

    def transaction(self, chance: random.Random, number: int) -> list[str]:
        del number
        one, other, age = chance.randint(1, ROWS), chance.randint(1, 2 * ROWS), chance.randint(0, 40)
        place = f"'p{chance.randint(0, 6)}'"
        new = f"({one}, E'canary\\\\\\t''x', {age}, repeat('b', 3000), 'n')"
        free = f"NOT EXISTS (SELECT FROM people WHERE id = {other})"
        again = f"DELETE FROM visits WHERE person = {one % 50} AND place = {place}"
        statement = chance.choice(
            [
                f"UPDATE people SET age = {age} WHERE id BETWEEN {one} AND {one + 5}",  # bio is not sent
                f"UPDATE people SET note = NULLIF(note, 'n{one}') WHERE id = {one}",
                f"UPDATE people SET bio = repeat(md5('{chance.random()}'), 100), age = {age} WHERE id = {one}",
                f"UPDATE people SET id = {other}, age = {age} WHERE id = {one} AND {free}",
                f"DELETE FROM people WHERE id = {one}",
                f"INSERT INTO people VALUES {new} ON CONFLICT (id) DO UPDATE SET age = {age}, email = NULL",
                f"UPDATE visits SET place = {place} WHERE person = {one % 50}",
                f"{again}; INSERT INTO visits VALUES ({one % 50}, {place})",
            ]
        )
        return [statement]


def rows(stage: Stage, database: str, query: str) -> list[Row]:
    with stage.session(database).cursor() as cursor:
        cursor.execute(query)
        return sorted(cursor.fetchall(), key=repr)


def masked(value: object) -> str | None:
    return None if value is None else hmac.new(KEYRING.masking_key, str(value).encode(), hashlib.sha256).hexdigest()


def expected(stage: Stage, adult: int = 18) -> dict[str, list[Row]]:
    """What the targets are to have, worked out without any code of Rosetta's."""
    people = rows(stage, stage.source_database, "SELECT id, email, age, bio, note FROM people")
    visits = rows(stage, stage.source_database, "SELECT place FROM visits WHERE place <> 'p3'")
    found: dict[str, list[Row]] = {
        "adults": [(i, masked(email), age, bio) for i, email, age, bio, _ in people if age >= adult],
        "children": [
            (i, None if email is None else "***", age, bio, None)
            for i, email, age, bio, note in people
            if age < 18 and note is not None
        ],
        "hidden": [(masked(i), bio) for i, _, _, bio, _ in people],
        "computed": [
            (i, None if email is None else hashlib.md5(f"{email}pepper".encode()).hexdigest(), age * 12, len(bio))
            for i, email, age, bio, _ in people
            if age % 2 == 0
        ],
        "places": visits,
    }
    return {name: sorted(wanted, key=repr) for name, wanted in found.items()}


COLUMNS = {
    "adults": "key, mail, years, bio",
    "children": "id, email, age, bio, note",
    "hidden": "id, bio",
    "computed": "nr, mail, months, length",
    "places": "place",
}


def differing(stage: Stage, adult: int = 18) -> list[str]:
    wanted = expected(stage, adult)
    return [
        name
        for name, columns in COLUMNS.items()
        if rows(stage, stage.target_database, f"SELECT {columns} FROM {name}") != wanted[name]
    ]


@pytest.fixture
def ruled(stage: Stage, request: pytest.FixtureRequest) -> Stage:
    """A pipeline of which every table sync has rules."""
    stage.source(TABLE)
    stage.service.environment["BACKFILL_BATCH_SIZE"] = "50"
    stage.start_pipeline(status="PAUSE")
    stage.config.run("UPDATE pipelines SET engine = %s", request.param.value)
    joined = stage.config.one("SELECT id FROM pipeline_destinations")
    insert = (
        "INSERT INTO table_syncs (pipeline_destination_id, table_name, target_name, columns, masks, filters)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
    )
    for target, rules in SYNCS.items():
        stage.config.run(insert, joined, "people", target, *rules)
    stage.config.run(insert, joined, "visits", "places", *LOOSE)
    insert = (
        "INSERT INTO table_syncs (pipeline_destination_id, table_name, target_name, custom_sql) VALUES (%s, %s, %s, %s)"
    )
    stage.config.run(insert, joined, "people", "computed", STATEMENT)
    stage.config.run("UPDATE pipelines SET status = 'START'")
    stage.service.start()
    return stage


def streaming(stage: Stage) -> bool:
    return bool(
        stage.config.one("SELECT bool_and(state = 'STREAMING') FROM table_syncs WHERE target_name <> 'wrong'")
        and stage.config.one("SELECT state = 'ERROR' FROM table_syncs WHERE target_name = 'wrong'")
    )


@pytest.mark.parametrize("ruled", list(EngineKind), ids=str, indirect=True)
def test_rules_hold_through_copies_changes_and_an_outage(ruled: Stage) -> None:
    stage = ruled
    with Writer(stage) as writer:
        eventually(lambda: streaming(stage), 90, "every table but the wrong one streams")
        writer.more(100)
        with stage.target_away():
            writer.more(150)
            parked = "SELECT count(DISTINCT table_sync_id) FROM dlq_records WHERE kind = 'SEGMENT'"
            eventually(lambda: stage.config.one(parked) == 5, 60, "changes of every table are parked")
            assert_sealed_without_canary(stage)
        writer.more(100)
    eventually(lambda: not differing(stage), 60, "the targets have what the rules say")
    assert_equal_by_verify(stage)
    for target in COLUMNS:
        assert rows(stage, stage.target_database, f"SELECT 1 FROM {target} t WHERE strpos(t::text, 'canary') > 0") == []
    code, remedy = stage.config.row("SELECT error_code, error_remedy FROM table_syncs WHERE target_name = 'wrong'") or (
        "",
        "",
    )
    assert (code, bool(remedy)) == ("TABLE_RULES_INVALID", True)

    # other rules: what does not pass any more goes, what does now comes
    stage.config.run("UPDATE table_syncs SET filters = '[\"age >= 30\"]' WHERE target_name = 'adults'")
    eventually(lambda: not differing(stage, adult=30), 60, "the target has what the new rules say")


def assert_sealed_without_canary(stage: Stage) -> None:
    with stage.config.connection.cursor() as cursor:
        cursor.execute("SELECT payload, pipeline_id, destination_id FROM dlq_records WHERE payload <> ''")
        found = cursor.fetchall()
    opened = [open_payload(bytes(sealed), KEYRING, pipeline, destination) for sealed, pipeline, destination in found]
    assert opened
    for payload in opened:
        assert b"canary" not in payload.data


def assert_equal_by_verify(stage: Stage) -> None:
    (report,) = verify_pipelines(stage.config.url, KEYRING, "p", Selection(), Bounds(deadline_seconds=20))
    (destination,) = report.destinations
    outcomes = {table.target.name: (str(table.outcome), table.reason) for table in destination.tables}
    for name in ("wrong", "computed"):
        assert outcomes.pop(name)[0] == "NOT_COMPARED"
    assert set(outcomes.values()) == {("EQUAL", None)}
