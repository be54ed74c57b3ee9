"""Alerts: what the rules find, and what the channels are told of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import httpx
import psycopg2
import pytest
from app.core.config import Settings
from app.core.exceptions import ServiceUnavailableError
from app.domain.models import Notification
from app.domain.repositories import AlertRepository, NotificationRepository
from app.domain.services import AlertService
from app.domain.services.alert import AlertLimits
from app.domain.services.thresholds import Thresholds
from app.infrastructure.channels import SIGNATURE_HEADER, Telegram, channels_of
from app.infrastructure.tasks.passes import Passes
from fastapi import FastAPI
from pydantic import SecretStr
from tests.clients import API, Sql, make_pipeline, passes_of
from tests.inbox import Inbox, open_inbox, open_mailbox

from rosetta.enums import Severity
from rosetta.tests.waiting import eventually_async


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as made:
        yield made


async def evaluate(app: FastAPI, limits: AlertLimits | None = None) -> None:
    async with app.state.database.transaction() as session:
        service = AlertService(AlertRepository(session), NotificationRepository(session), limits or AlertLimits())
        for change in await service.evaluate():
            await service.apply(change)


async def test_an_alert_is_raised_once_and_resolved_when_it_passes(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await make_pipeline(admin, source_id, destination_body)
    sql("UPDATE pipelines SET status = 'START'")
    sql(
        "UPDATE pipeline_metadata SET status = 'RETRYING', health_status = 'ERROR', last_error = 'away',"
        " last_error_remedy = 'start it'"
    )
    await evaluate(app)
    await evaluate(app)
    (row,) = (await admin.get(f"{API}/notifications")).json()["items"]
    assert (row["kind"], row["severity"], row["message"], row["remedy"]) == (
        "DESTINATION_ERROR",
        "CRITICAL",
        "away",
        "start it",
    )
    assert (row["pipeline_id"], row["occurrences"], row["resolved_at"]) == (pipeline_id, 1, None)
    assert (await admin.get(f"{API}/dashboard/summary")).json()["problems"][0]["code"] == "DESTINATION_ERROR"
    sql("UPDATE pipeline_metadata SET health_status = 'HEALTHY'")
    await evaluate(app)
    assert (await admin.get(f"{API}/notifications", params={"open": True})).json()["total"] == 0
    sql("UPDATE pipeline_metadata SET health_status = 'ERROR'")
    await evaluate(app)
    assert (await admin.get(f"{API}/notifications")).json()["total"] == 2, "what comes back is a new alert"


async def test_every_rule_can_be_asked(app: FastAPI, config_database: str) -> None:
    await evaluate(app)


async def test_every_rule_finds_what_it_is_for(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    await make_pipeline(admin, source_id, destination_body)
    sql("UPDATE pipelines SET status = 'START', slot_name = 's'")
    sql("ALTER TABLE pipelines DISABLE TRIGGER touch")
    sql("UPDATE pipelines SET updated_at = now() - interval '1 hour'")
    sql("ALTER TABLE pipelines ENABLE TRIGGER touch")
    sql(
        "UPDATE pipeline_metadata SET health_status = 'ERROR', lag_seconds = 1000, heartbeat_at = now(),"
        " last_success_time = now()"
    )
    sql(
        "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind, commit_lsn,"
        " change_lsn, ordinal, payload, payload_bytes, error_class, error_message)"
        " VALUES (1, 1, 1, 'public', 't', 'RECORD', '0/1', '0/1', 0, '', 0, 'DATA', 'x')"
    )
    sql("INSERT INTO wal_monitor (source_id, status, retained_bytes, checked_at) VALUES (1, 'CRITICAL', 5, now())")
    for age in range(6):
        sql(
            "INSERT INTO wal_metrics (source_id, slot_name, retained_bytes, active, recorded_at)"
            " VALUES (1, 's', %s, false, now() - make_interval(mins => %s))",
            (10 - age) << 30,
            age * 5,
        )
    sql("INSERT INTO queue_backfill_data (pipeline_id, table_name, status) VALUES (1, 't', 'FAILED')")
    for warehouse, used in (("A", 20), ("B", 5)):
        sql("INSERT INTO destination_credits VALUES (1, %s, current_date, %s)", warehouse, used)
    await evaluate(app)
    kinds = [row["kind"] for row in (await admin.get(f"{API}/notifications", params={"limit": 100})).json()["items"]]
    assert sorted(kinds) == [
        "BACKFILL_FAILED",
        "CREDITS",
        "DESTINATION_ERROR",
        "DLQ",
        "LAG",
        "PIPELINE_DOWN",
        "SLOT_INACTIVE",
        "SLOT_STUCK",
        "WAL",
    ]


async def test_changes_that_wait_are_one_alert_from_the_limit_on_until_they_are_recovered(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await make_pipeline(admin, source_id, destination_body)

    async def told(limits: AlertLimits | None = None) -> list[tuple[str, str, int]]:
        await evaluate(app, limits)
        items = (await admin.get(f"{API}/notifications", params={"open": True})).json()["items"]
        return [(row["kind"], row["message"], row["pipeline_id"]) for row in items]

    for error_class, changes in (("DATA", 1), ("OUTAGE", 3)):
        sql(
            "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind, row_count,"
            " commit_lsn, change_lsn, ordinal, payload, payload_bytes, error_class, error_message)"
            " VALUES (1, 1, 1, 'public', 't', 'RECORD', %s, '0/1', '0/1', 0, '', 0, %s, 'x')",
            changes,
            error_class,
        )
    assert await told(AlertLimits(dlq_rows=5)) == []
    assert await told() == [("DLQ", "4 changes are parked.", pipeline_id)]
    sql("UPDATE dlq_records SET state = 'RECOVERED' WHERE error_class = 'OUTAGE'")
    assert await told() == [("DLQ", "1 change is parked.", pipeline_id)]
    sql("UPDATE dlq_records SET state = 'RECOVERED'")
    assert await told() == []


async def test_whoever_deletes_a_pipeline_is_never_in_a_deadlock_with_its_alerts(
    app: FastAPI,
    admin: httpx.AsyncClient,
    sql: Sql,
    settings: Settings,
    source_id: int,
    destination_body: dict[str, Any],
) -> None:
    pipeline_id = await make_pipeline(admin, source_id, destination_body)
    passes = passes_of(app, settings)
    sql("UPDATE pipelines SET status = 'START'")
    sql("UPDATE pipeline_metadata SET status = 'RETRYING', health_status = 'ERROR', last_error = 'away'")
    await passes.alert()
    # To be reworded is one alert of the pipeline, and to be raised another.
    sql(
        "UPDATE pipeline_metadata SET last_error = 'still away', lag_seconds = 100000, heartbeat_at = now(),"
        " last_success_time = now()"
    )
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with closing(psycopg2.connect(settings.database_url.get_secret_value())) as person, person.cursor() as cursor:
        cursor.execute("SELECT FROM pipelines WHERE id = %s FOR UPDATE", (pipeline_id,))
        telling = asyncio.create_task(passes.alert())

        async def told_or_waits() -> bool:
            return telling.done() or sql(waits)[0][0] > 0

        await eventually_async(told_or_waits)
        await asyncio.to_thread(cursor.execute, "DELETE FROM pipelines WHERE id = %s", (pipeline_id,))
        person.commit()
    await telling
    assert sql("SELECT count(*) FROM notifications WHERE pipeline_id IS NOT NULL") == [(0,)]


async def test_channels_are_told_once_and_signed(app: FastAPI, settings: Settings, sql: Sql, inbox: Inbox) -> None:
    told = settings.model_copy(
        update={
            "alert_webhook_url": SecretStr(f"{inbox.url}/hook"),
            "alert_webhook_secret": SecretStr("s3cret"),
            "alert_slack_url": SecretStr(f"{inbox.url}/slack"),
        }
    )
    passes = passes_of(app, told, channels_of(told))
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'k', 'Title', 'm')")
    await passes.alert()
    await passes.alert()
    assert sorted(path for path, _, _ in inbox.heard) == ["/hook", "/slack"]
    body, headers = next((body, headers) for path, body, headers in inbox.heard if path == "/hook")
    assert headers[SIGNATURE_HEADER] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert json.loads(body)["title"] == "Title"
    sql("UPDATE notifications SET resolved_at = now()")
    await passes.alert()
    await passes.alert()
    assert len(inbox.heard) == 4
    assert json.loads([body for path, body, _ in inbox.heard if path == "/hook"][1])["resolved"] is True


async def test_a_channel_that_fails_is_tried_again_and_named_without_its_secret(
    app: FastAPI, settings: Settings, sql: Sql, inbox: Inbox
) -> None:
    inbox.status = 500
    told = settings.model_copy(update={"alert_slack_url": SecretStr(f"{inbox.url}/s3cret")})
    passes = passes_of(app, told, channels_of(told))
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'k', 't', 'm')")
    await passes.alert()
    pauses = []
    for _ in range(3):
        delivered = sql("SELECT delivered FROM notifications")[0][0]
        assert "status 500" in delivered["slack"]["error"]
        assert "s3cret" not in json.dumps(delivered)
        pauses.append(datetime.fromisoformat(delivered["slack"]["not_before"]) - datetime.now(UTC))
        await passes.alert()  # not due yet
        sql("UPDATE notifications SET delivered = jsonb_set(delivered, '{slack,not_before}', '\"2001-01-01\"')")
        await passes.alert()
    assert len(inbox.heard) == 4
    assert [round(pause.total_seconds() / 30) for pause in pauses] == [1, 2, 4]
    inbox.status = 200
    sql("UPDATE notifications SET delivered = jsonb_set(delivered, '{slack,not_before}', '\"2001-01-01\"')")
    await passes.alert()
    assert set(sql("SELECT delivered FROM notifications")[0][0]["slack"]) == {"raised_at"}


async def test_a_channel_sends_nothing_to_where_an_answer_points(settings: Settings, inbox: Inbox) -> None:
    inbox.status, inbox.location = 307, "http://169.254.169.254/latest/meta-data"
    told = settings.model_copy(update={"alert_slack_url": SecretStr(inbox.url)})
    (slack,) = channels_of(told)
    with pytest.raises(ServiceUnavailableError, match="status 307"):
        await slack.send(Notification(kind="K", severity=Severity.INFO, title="t", message="m"), resolved=False)
    assert len(inbox.heard) == 1


async def test_a_name_is_text_in_every_channel(
    settings: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SQL a pipeline may be called anything."""
    sent: list[EmailMessage] = []
    monkeypatch.setattr("app.infrastructure.channels.Email._deliver", lambda _, message: sent.append(message))
    named = Notification(
        id=1, kind="K", severity=Severity.INFO, title="a\r\nBcc: eve@example.org\n\n<!channel>", message="<b>&"
    )
    told = settings.model_copy(
        update={
            "alert_slack_url": SecretStr(inbox.url),
            "alert_smtp_url": SecretStr("smtp://127.0.0.1:99999"),
            "alert_email_to": ["ops@example.org"],
        }
    )
    slack, email = channels_of(told)
    await slack.send(named, resolved=False)
    await email.send(named, resolved=False)
    text = json.loads(inbox.heard[0][1])["text"]
    assert "&lt;!channel&gt;" in text
    assert "&lt;b&gt;&amp;" in text
    assert sent[0]["Subject"] == "[Rosetta] a Bcc: eve@example.org <!channel>"
    assert sent[0]["Bcc"] is None
    monkeypatch.undo()
    with pytest.raises(ServiceUnavailableError, match="ValueError"):  # of the port, which is none
        await email.send(named, resolved=False)


async def test_mail_and_telegram_say_what_happened_and_what_helps(settings: Settings, inbox: Inbox) -> None:
    named = Notification(kind="K", severity=Severity.CRITICAL, title="It broke", message="Why", remedy="Mend it")
    with open_mailbox() as mailbox:
        update = {"alert_smtp_url": SecretStr(mailbox.url), "alert_email_to": ["a@x.org", "b@x.org"]}
        (email,) = channels_of(settings.model_copy(update=update))
        await email.send(named, resolved=False)
        await email.send(named, resolved=True)
    told, resolved = "\n".join(mailbox.said).split("\nQUIT")[:2]
    assert base64.b64encode(b"\0ada\0p@ss").decode() in told
    for line in ("Subject: [Rosetta] It broke", "To: a@x.org, b@x.org", "CRITICAL: It broke", "What helps: Mend it"):
        assert line in told, line
    assert told.upper().count("RCPT TO:") == 2
    assert "Subject: [Rosetta] Resolved: It broke" in resolved
    assert "What helps" not in resolved
    telegram = Telegram("t0ken", "42", inbox.url)
    await telegram.send(named, resolved=False)
    path, body, _ = inbox.heard[0]
    assert path == "/bott0ken/sendMessage"
    assert json.loads(body) == {"chat_id": "42", "text": "CRITICAL: It broke\nWhy\nWhat helps: Mend it"}
    inbox.status = 403
    with pytest.raises(ServiceUnavailableError, match="status 403") as refused:
        await telegram.send(named, resolved=False)
    assert "t0ken" not in f"{refused.value.message} {refused.value.remedy}"


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "7", None, 2**63, 10**30])
def test_a_limit_that_means_nothing_counts_as_not_set(value: object) -> None:
    assert AlertLimits.of({f"alerts.{name}": value for name in AlertLimits.__slots__}) == AlertLimits()
    names = [name.replace("_", ".", 1) for name in Thresholds.__slots__]
    assert Thresholds.of(dict.fromkeys(names, value)) == Thresholds()
    assert Thresholds.of(dict.fromkeys(names, 7)) == Thresholds(7, 7, 7, 7, 7, 7)


class _Watcher:
    """A channel that looks, while it sends, at what its sender holds meanwhile."""

    name = "watcher"

    def __init__(self, sql: Sql, passes: Callable[[], Passes]) -> None:
        self._sql = sql
        self._passes = passes
        self.sent: list[int] = []

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        self.sent.append(notification.id)
        self._sql("SELECT 1 FROM notifications FOR UPDATE NOWAIT")
        idle = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
        )
        assert self._sql(idle) == [(0,)]
        if len(self.sent) == 1:  # another worker that takes itself for the leader
            other = _Watcher(self._sql, self._passes)
            await self._passes()._tell(other)
            self.sent += other.sent


async def test_a_message_on_its_way_holds_nothing_and_is_sent_by_one(
    app: FastAPI, settings: Settings, sql: Sql
) -> None:
    for key in ("a", "b", "c"):
        sql(
            "INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', %s, 't', 'm')",
            key,
        )
    watcher = _Watcher(sql, lambda: passes_of(app, settings))
    await passes_of(app, settings)._tell(watcher)
    assert sorted(watcher.sent) == [1, 2, 3]


async def test_old_messages_do_not_stand_in_the_way_of_new_ones(
    app: FastAPI, settings: Settings, sql: Sql, inbox: Inbox
) -> None:
    told = settings.model_copy(update={"alert_slack_url": SecretStr(inbox.url)})
    sql(
        "INSERT INTO notifications (kind, severity, dedup_key, title, message, delivered)"
        " SELECT 'K', 'INFO', n::text, 't', 'm', '{\"slack\": {\"raised_at\": \"2026-01-01\"}}'"
        " FROM generate_series(1, 300) n"
    )
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'new', 'N', 'm')")
    await passes_of(app, told, channels_of(told)).alert()
    assert len(inbox.heard) == 1


async def test_each_channel_is_tried_by_itself_and_says_how_it_went(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, inbox: Inbox
) -> None:
    app.state.settings = app.state.settings.model_copy(
        update={
            "alert_webhook_url": SecretStr(f"{inbox.url}/hook"),
            "alert_slack_url": SecretStr(f"{inbox.url}/slack"),
            "alert_smtp_url": SecretStr("smtp://127.0.0.1:1"),
            "alert_email_to": ["ops@example.org"],
        }
    )
    assert (await admin.get(f"{API}/settings/alerts")).json() == [
        {"channel": "webhook", "missing": ["ALERT_WEBHOOK_SECRET"]},
        {"channel": "slack", "missing": []},
        {"channel": "telegram", "missing": ["ALERT_TELEGRAM_TOKEN", "ALERT_TELEGRAM_CHAT"]},
        {"channel": "email", "missing": []},
    ]

    async def test(channel: str) -> httpx.Response:
        return await admin.post(f"{API}/settings/alerts/test", json={"channel": channel})

    assert (await test("slack")).json() == {"channel": "slack", "error": None, "code": None, "remedy": None}
    refused = (await test("email")).json()
    assert (refused["channel"], refused["code"]) == ("email", "ALERT_NOT_SENT")
    assert "ConnectionRefusedError" in refused["error"]
    assert "ALERT_" in refused["remedy"]
    off = await test("telegram")
    assert (off.status_code, off.json()["code"]) == (409, "ALERT_CHANNEL_OFF")
    assert "ALERT_TELEGRAM_TOKEN and ALERT_TELEGRAM_CHAT" in off.json()["remedy"]
    assert (await test("pigeon")).status_code == 422
    assert [path for path, _, _ in inbox.heard] == ["/slack"]
    assert sql("SELECT entity_id FROM audit_log WHERE action = 'alerts.test' ORDER BY id") == [("slack",), ("email",)]
