"""Logs of compute services on other machines, as they stand in Redis."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.core.exceptions import InvalidRequestError, ServiceUnavailableError
from app.core.security import keyring_of
from app.domain.ports import LogQuestion
from app.infrastructure import log_streams
from app.infrastructure.log_streams import LogStreams
from app.main import create_app
from pydantic import SecretStr
from tests.clients import API, Sql, Tokens, client_of

from rosetta.enums import Role
from rosetta.errors import ConfigurationError
from rosetta.local import process
from rosetta.local.ports import free_port
from rosetta.local.valkey import ValkeyServer
from rosetta.logs import STREAM_FIELD, log_stream
from rosetta.tests.parking import make_parking
from rosetta.tests.waiting import eventually

MINE = LogQuestion(pipeline_id=7, limit=10)
PASSWORD = "canary-redis-19c4"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("log-streams")
    server = ValkeyServer(folder, free_port(), PASSWORD)
    running = process.spawn(server.command(), log=folder.with_suffix(".log"), death_signal=signal.SIGTERM)
    eventually(server.answers, 60, "Valkey answers")
    yield server.url()
    process.stop(running, signal.SIGKILL, 10)


@pytest.fixture
def keeper(redis_url: str) -> Iterator[redis.Redis]:
    """What compute has; empty at first."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


def keep(keeper: redis.Redis, numbers: range, pipeline_id: int = 7, level: str = "info") -> None:
    for number in numbers:
        line = {"timestamp": "2026-11-21T12:00:00.000+00:00", "level": level, "event": f"line_{number}", "spice": "Ä"}
        text = json.dumps(line | {"pipeline_id": pipeline_id}, separators=(",", ":"), ensure_ascii=False)
        keeper.xadd(log_stream(pipeline_id), {STREAM_FIELD: text})


def events(*numbers: int) -> list[str]:
    return [f"line_{number}" for number in numbers]


async def test_pages_lead_back_and_following_sees_every_line_once(
    keeper: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_streams, "_PAGE", 7)  # an answer takes several
    reader = LogStreams(redis_url)
    empty = await reader.read(MINE)
    assert (empty.lines, empty.older, empty.newer) == ((), None, None)
    keep(keeper, range(25))
    keep(keeper, range(90, 95), pipeline_id=8)
    newest = await reader.read(MINE)
    assert [line.event for line in newest.lines] == events(*range(15, 25))
    middle = await reader.read(replace(MINE, before=newest.older))
    oldest = await reader.read(replace(MINE, before=middle.older))
    assert [line.event for line in (*oldest.lines, *middle.lines)] == events(*range(15))
    assert oldest.older is None
    keep(keeper, range(25, 40))
    followed, place = [], newest.newer
    for _ in range(3):
        answer = await reader.read(replace(MINE, after=place))
        followed += [line.event for line in answer.lines]
        place = answer.newer
    assert followed == events(*range(25, 40))


async def test_lines_are_filtered_and_what_was_dropped_is_passed_over(keeper: redis.Redis, redis_url: str) -> None:
    reader = LogStreams(redis_url)
    keep(keeper, range(3), level="error")
    keep(keeper, range(3, 20))
    keeper.xadd(log_stream(7), {"of": "another hand"})
    errors = await reader.read(replace(MINE, level="error", limit=2))
    assert [line.event for line in errors.lines] == events(1, 2)
    assert [line.event for line in (await reader.read(replace(MINE, search="LINE_7"))).lines] == events(7)
    assert len((await reader.read(replace(MINE, search="ä"))).lines) == 10
    first = (await reader.read(replace(MINE, limit=1, search="line_0"))).older
    keeper.xtrim(log_stream(7), maxlen=5, approximate=False)
    assert [line.event for line in (await reader.read(replace(MINE, after=first))).lines] == events(16, 17, 18, 19)


async def test_the_route_reads_them_where_no_file_is_at_hand(
    keeper: redis.Redis, redis_url: str, settings: Settings, tokens: Tokens, sql: Sql
) -> None:
    parking = make_parking(sql, keyring_of(settings))
    pipeline_id = parking.pipeline_id
    keep(keeper, range(2), pipeline_id=pipeline_id)
    elsewhere = settings.model_copy(update={"compute_log_folder": None, "redis_url": SecretStr(redis_url)})
    database = DatabaseManager()
    app = create_app(elsewhere, database)
    database.open(elsewhere)
    async with client_of(app, tokens[Role.VIEWER]) as viewer:
        path = f"{API}/pipelines/{pipeline_id}/logs"
        page = (await viewer.get(path)).json()
        assert [line["event"] for line in page["lines"]] == events(0, 1)
        assert (await viewer.get(path, params={"after": page["newer"]})).json()["lines"] == []
        of_files = await viewer.get(path, params={"before": "ab12-ff"})
        assert (of_files.status_code, of_files.json()["code"]) == (422, "UNKNOWN_CURSOR")
    await database.close()


async def test_redis_that_is_away_is_told_with_its_remedy_and_without_its_password(redis_url: str) -> None:
    away = redis_url.rpartition(":")[0] + f":{free_port()}/0"
    wrong = redis_url.replace(PASSWORD, PASSWORD + "x")
    for url in (away, wrong):
        with pytest.raises(ServiceUnavailableError) as raised:
            await LogStreams(url).read(MINE)
        assert (raised.value.code, "REDIS_URL" in (raised.value.remedy or "")) == ("LOGS_AWAY", True)
        assert "canary" not in raised.value.message
    with pytest.raises(ConfigurationError):
        LogStreams("http://localhost")
    with pytest.raises(InvalidRequestError):
        await LogStreams(away).read(replace(MINE, after="ff-ff"))
