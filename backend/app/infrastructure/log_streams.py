"""What compute logged on other machines: the newest lines of each pipeline, which it keeps in Redis.

The client is loaded with the first question.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from app.core.exceptions import InvalidRequestError, ServiceUnavailableError
from app.domain.ports import LogExcerpt, LogLine, LogQuestion
from app.infrastructure.log_lines import matching
from rosetta.errors import ConfigurationError
from rosetta.logs import STREAM_FIELD, log_stream

if TYPE_CHECKING:
    from redis.asyncio import Redis

_TIMEOUT_SECONDS: Final = 2.0
_PAGE: Final = 500
_CURSOR: Final = re.compile(r"\d{1,16}-\d{1,16}")

Entry = tuple[str, bytes]


class LogStreams:
    """Reads them; safe to share, each question has a connection of its own. A cursor is the id of an entry."""

    def __init__(self, url: str) -> None:
        """Raises ConfigurationError for what is no address of Redis; connects to nothing yet."""
        if urlsplit(url).scheme not in {"redis", "rediss"}:
            raise ConfigurationError(
                "REDIS_URL is no address of Redis", remedy="Write it as redis://:password@host:port/0 or rediss://..."
            )
        self._url = url

    async def read(self, question: LogQuestion) -> LogExcerpt:
        """See `PipelineLogs.read`. Raises InvalidRequestError for a cursor that leads to files."""
        for cursor in (question.before, question.after):
            if cursor is not None and _CURSOR.fullmatch(cursor) is None:
                raise InvalidRequestError(
                    "This cursor leads nowhere in this log.", code="UNKNOWN_CURSOR", remedy="Begin without a cursor."
                )
        async with self._connected() as client:
            if question.after is not None:
                return await _newer(client, question, question.after)
            return await _older(client, question)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Redis]:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError

        try:
            async with Redis.from_url(
                self._url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            ) as client:
                yield client
        except (RedisError, OSError) as error:
            raise ServiceUnavailableError(
                f"Redis, which has the logs of other machines, does not answer ({type(error).__name__}).",
                code="LOGS_AWAY",
                remedy="Check that Redis runs and that REDIS_URL is right.",
            ) from None


async def _older(client: Redis, question: LogQuestion) -> LogExcerpt:
    newer, end = question.before, "+" if question.before is None else f"({question.before}"
    found: list[LogLine] = []
    while True:
        page = _entries(await client.xrevrange(log_stream(question.pipeline_id), end, "-", _PAGE))
        for place, line in page:
            newer = newer or place
            if (entry := matching(line, question)) is not None:
                found.append(entry)
            if len(found) == question.limit:
                return LogExcerpt(tuple(reversed(found)), place, newer)
        if len(page) < _PAGE:
            return LogExcerpt(tuple(reversed(found)), None, newer)
        end = f"({page[-1][0]}"


async def _newer(client: Redis, question: LogQuestion, after: str) -> LogExcerpt:
    reached = after
    found: list[LogLine] = []
    while True:
        page = _entries(await client.xrange(log_stream(question.pipeline_id), f"({reached}", "+", _PAGE))
        for reached, line in page:
            if (entry := matching(line, question)) is not None:
                found.append(entry)
            if len(found) == question.limit:
                return LogExcerpt(tuple(found), after, reached)
        if len(page) < _PAGE:
            return LogExcerpt(tuple(found), after, reached)


def _entries(answer: Any) -> list[Entry]:
    """Ids and lines; an entry of another hand has none. The client's types leave open what it answers with."""
    return [(place.decode(), fields.get(STREAM_FIELD.encode(), b"")) for place, fields in answer]
