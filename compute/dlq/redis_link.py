"""Redis, as the dispatcher speaks to it. Imported with the first parked change: most processes never need it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rosetta.errors import OutageError

_TIMEOUT_SECONDS: Final = 2.0


class RedisLink:
    """A pool of connections, safe to share between threads; `doing` is what an error says was attempted.

    Every method raises OutageError (DLQ_DISPATCH_AWAY), within seconds, when Redis does not answer or does not take
    what it is given.
    """

    def __init__(self, url: str) -> None:
        self._client = connected(url)

    def ping(self, doing: str) -> None:
        with translated(doing):
            self._client.ping()

    def run(self, script: str, keys: tuple[str, ...], arguments: tuple[str, ...], doing: str) -> None:
        """Runs a script."""
        with translated(doing):
            self._client.eval(script, len(keys), *keys, *arguments)

    def take_new(self, stream: str, group: str, consumer: str, count: int, doing: str) -> int | None:
        """Takes entries that the group has not seen yet; how many those were, None where there is no such group."""
        with translated(doing):
            try:
                answer: Any = self._client.xreadgroup(group, consumer, {stream: ">"}, count=count)
            except redis.ResponseError as error:
                if str(error).startswith("NOGROUP"):
                    return None
                raise
        return _entries_of(answer)

    def length(self, stream: str, doing: str) -> int:
        """How many entries a stream has; 0 when it does not exist."""
        with translated(doing):
            return self._client.xlen(stream)

    def entries(self, stream: str, start: str, count: int, doing: str) -> list[tuple[str, dict[str, str]]]:
        """Ids and fields, in order, from `start` on."""
        with translated(doing):
            return cast("list[tuple[str, dict[str, str]]]", self._client.xrange(stream, start, "+", count))

    def close(self) -> None:
        self._client.close()


def connected(url: str) -> redis.Redis:
    """A client that answers, or fails, within seconds; it connects when it is first used."""
    return redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),  # a connection of the pool that died while idle
        decode_responses=True,
    )


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises OutageError (DLQ_DISPATCH_AWAY) for whatever Redis could not do in the block."""
    try:
        yield
    except redis.RedisError as error:
        raise OutageError(
            f"{doing}: Redis is away or does not take it ({type(error).__name__})",
            code="DLQ_DISPATCH_AWAY",
            remedy="Check that Redis runs, that REDIS_URL is right, and that it has memory and disk left.",
        ) from None


def _entries_of(answer: Any) -> int:
    """How many entries XREADGROUP gave, in either version of the protocol."""
    if not answer:
        return 0
    streams = answer.values() if isinstance(answer, dict) else (entries for _, entries in answer)
    return sum(len(entries[0]) if entries and isinstance(entries[0], list) else len(entries) for entries in streams)
