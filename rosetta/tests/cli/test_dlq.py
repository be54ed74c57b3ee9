"""`rosetta dlq` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rosetta.local.settings import OWN_VARIABLES
from rosetta.secrets import Keyring
from rosetta.tests.parking import CANARY, Parking, Sql, make_parking

SECRET_KEY = "k3-command-Zr8qW0vXn5TtB7yLmP2sJd4G"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def parking(sql: Sql) -> Parking:
    return make_parking(sql, Keyring.from_secret_key(SECRET_KEY))


@pytest.fixture
def dlq(url: str, tmp_path: Path) -> Run:
    def run(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
        own = {"ROSETTA_HOME": str(tmp_path / "home"), "DATABASE_URL": url, "SECRET_KEY": SECRET_KEY, "COLUMNS": "200"}
        command = [str(Path(sys.executable).with_name("rosetta")), "dlq", *map(str, arguments)]
        return subprocess.run(
            command, env={**inherited, **own}, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def json_of(answer: subprocess.CompletedProcess[str]) -> Any:
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_the_list_begins_with_a_sum_for_each_destination(dlq: Run, parking: Parking) -> None:
    parking.segment(1200, 1)
    parking.record(7, 2)
    sums = json_of(dlq("list", "--json"))
    assert [(each["pipeline"], each["destination"], each["records"], each["changes"]) for each in sums] == [
        ("orders", "a", 2, 1201),
        ("orders", "b", 0, 0),
    ]
    assert "1,201" in dlq("list").stdout


def test_a_list_has_pages_and_filters_and_no_values(dlq: Run, parking: Parking) -> None:
    numbers = [parking.record(n, n, error_code="PG_23514" if n == 5 else "22003") for n in range(1, 6)]
    segment = parking.segment(2, 9)
    first = json_of(dlq("list", "orders", "--destination", "a", "--limit", 3, "--json"))
    assert [item["id"] for item in first["items"]] == numbers[:3]
    assert (first["total"], first["next_after"]) == (6, numbers[2])
    after = ("list", "orders", "--destination", "a", "--after", numbers[2], "--json")
    assert [item["id"] for item in json_of(dlq(*after))["items"]] == [*numbers[3:], segment]
    by_key = ("list", "orders", "--destination", "a", "--table", "orders", "--key", 4, "--json")
    assert [item["id"] for item in json_of(dlq(*by_key))["items"]] == [numbers[3]]
    shown = dlq("list", "orders", "--destination", "a", "--class", "DATA", "--code", "22003")
    assert "4 in all" in shown.stdout
    assert "a value does not fit its column" in shown.stdout
    assert CANARY not in shown.stdout
    several = dlq("list", "orders")
    assert (several.returncode, several.stderr.splitlines()[1]) == (1, "remedy: Name one by --destination.")


def test_a_record_is_shown_with_its_values(dlq: Run, parking: Parking) -> None:
    number, behind = parking.record(7, 1), parking.record(7, 2, next_attempt_at="infinity")
    assert [
        item["waits_behind"] for item in json_of(dlq("list", "orders", "--destination", "a", "--json"))["items"]
    ] == [
        False,
        True,
    ]
    shown = dlq("show", number).stdout
    assert CANARY in shown
    assert f"waiting behind it: 1 ({behind})" in shown
    assert json_of(dlq("show", number, "--json"))["changes"][0]["values"]["note"] == CANARY
    missing = dlq("show", 4711)
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (1, "error: There is no parked record 4711.")


def test_an_edit_is_asked_to_be_tried_again(dlq: Run, parking: Parking, sql: Sql) -> None:
    number = parking.record(7, 1)
    assert dlq("edit", number, "--set", "amount=12=3", "--null", "note").returncode == 0
    assert json_of(dlq("show", number, "--json"))["changes"][0]["values"] == {"id": "7", "note": None, "amount": "12=3"}
    answer = dlq("edit", number, "--values-from", "-", stdin=json.dumps({"note": "from a file"}))
    assert answer.returncode == 0, answer.stderr
    assert json_of(dlq("show", number, "--json"))["changes"][0]["values"]["note"] == "from a file"
    assert sql("SELECT retry_requested_at IS NOT NULL FROM dlq_records") == [(True,)]
    trail = sql("SELECT actor_kind, action, details FROM audit_log ORDER BY id")
    assert trail[0] == ("command", "dlq.edit", {"record_id": number, "columns": ["amount", "note"], "change": 0})
    assert "12=3" not in str(trail)
    refused = dlq("edit", number, "--set", "id=8")
    assert (refused.returncode, "part of the key" in refused.stderr) == (1, True)
    unread = dlq("edit", number, "--values-from", "-", stdin=f"{CANARY}{{")
    assert (unread.returncode, CANARY in unread.stderr) == (1, False)


def test_replay_asks_for_some_or_for_all(dlq: Run, parking: Parking, sql: Sql) -> None:
    first, second = parking.record(1, 1), parking.record(2, 2)
    assert json_of(dlq("replay", first, "--json")) == {"asked": 1}
    assert sql("SELECT id FROM dlq_records WHERE retry_requested_at IS NOT NULL") == [(first,)]
    by_class = ("replay", "--pipeline", "orders", "--destination", "a", "--class", "DATA")
    assert dlq(*by_class).stdout == "1 records will be tried again\n"
    assert sql("SELECT id FROM dlq_records WHERE retry_requested_at IS NOT NULL ORDER BY id") == [(first,), (second,)]
    assert json_of(dlq("replay", "--pipeline", "orders", "--destination", "a", "--all", "--json")) == {"asked": 2}
    assert sql("SELECT recover_requested_at IS NOT NULL FROM pipeline_destinations ORDER BY id") == [(True,), (False,)]
    for wrong in (("replay",), ("replay", first, "--all"), ("replay", "--all"), ("replay", 4711)):
        assert dlq(*wrong).returncode == 1


def test_discarding_needs_a_reason(dlq: Run, parking: Parking, sql: Sql) -> None:
    first, second = parking.record(7, 1), parking.record(7, 2)
    assert dlq("discard", first).returncode == 2
    assert dlq("discard", first, "--reason", " ").returncode == 2
    assert json_of(dlq("discard", first, "--reason", "a test order", "--json")) == {"discarded": 1}
    assert sql("SELECT id, state, discard_reason FROM dlq_records ORDER BY id") == [
        (first, "DISCARDED", "a test order"),
        (second, "PARKED", None),
    ]
    assert sql("SELECT action, details ->> 'reason' FROM audit_log") == [("dlq.discard", "a test order")]
    again = dlq("discard", first, "--reason", "r")
    assert (again.returncode, again.stderr.splitlines()[0]) == (
        1,
        f"error: Record {first} is DISCARDED: nothing waits in it any more.",
    )
