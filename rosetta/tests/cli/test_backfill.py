"""`rosetta backfill` as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from rosetta.cli.commands import app
from rosetta.errors import ConfigurationError
from rosetta.local.settings import local_settings
from rosetta.secrets import Keyring
from rosetta.tests.parking import Parking, Sql, make_parking

Run = Callable[..., Any]


@pytest.fixture
def parking(sql: Sql) -> Parking:
    return make_parking(sql, Keyring.from_secret_key("of no use here"))


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    local_settings.cache_clear()

    def invoke(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["backfill", *map(str, arguments)], catch_exceptions=True)

    yield invoke
    local_settings.cache_clear()


def test_a_backfill_is_started_listed_shown_and_cancelled(run: Run, parking: Parking, sql: Sql) -> None:
    started = run(
        "start", "orders", "orders", "--where", "amount >= 5", "--where", "note LIKE 'a%'", "--destination", "a"
    )
    assert started.exit_code == 0, started.output
    assert "pending" in started.stdout
    assert "the pipeline is paused" in started.stdout
    ((job, filters, destinations),) = sql("SELECT id, filters, destination_ids FROM queue_backfill_data")
    assert filters == [
        {"column": "amount", "operator": ">=", "value": "5"},
        {"column": "note", "operator": "LIKE", "value": "a%"},
    ]
    assert destinations == [parking.destination_id]
    sql(
        "UPDATE queue_backfill_data SET status = 'EXECUTING', status_reason = NULL, rows_done = 1500,"
        " rows_estimated = 4500, rows_per_second = 100, seconds_left = 30"
    )
    assert "1,500 of ~4,500 rows, 100/s, 30 s left" in run("list", "orders").stdout
    (shown,) = json.loads(run("show", job, "--json").stdout)
    assert (shown["rows_done"], shown["seconds_left"], shown["table_name"]) == (1500, 30.0, "orders")
    assert "is being cancelled" in run("cancel", job).stdout
    sql(
        "UPDATE queue_backfill_data SET status = 'FAILED', error_code = 'FILTER_INVALID', error_message = 'no column',"
        " error_remedy = 'Name one.'"
    )
    assert "FILTER_INVALID: no column" in run("list").stdout
    assert "remedy: Name one." in run("show", job).stdout
    assert sql("SELECT action, actor_kind FROM audit_log ORDER BY id") == [
        ("backfill.start", "command"),
        ("backfill.cancel", "command"),
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("start", "orders", "orders", "--where", "amount > 5 OR true"), "FILTER_INVALID"),
        (("start", "nowhere", "orders"), "PIPELINE_NOT_FOUND"),
        (("start", "orders", "orders", "--destination", "c"), "DESTINATION_NOT_FED"),
        (("start", "orders", "nowhere", "--destination", "a"), "TABLE_NOT_SYNCED"),
        (("show", "4711"), "BACKFILL_NOT_FOUND"),
        (("cancel", "4711"), "BACKFILL_NOT_FOUND"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    run: Run, parking: Parking, sql: Sql, arguments: tuple[str, ...], code: str
) -> None:
    answer = run(*arguments)
    assert answer.exit_code == 1
    assert isinstance(answer.exception, ConfigurationError)
    assert answer.exception.code == code
    assert answer.exception.remedy
    assert sql("SELECT count(*) FROM queue_backfill_data") == [(0,)]
    assert parking.pipeline_id
