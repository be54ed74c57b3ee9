"""Takes from Redis what pipelines that no longer feed a destination have left there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

import redis

from compute.dlq.redis_link import connected, translated

_SCAN_KEYS: Final = 1_000
_GLOB = re.compile(r"([*?\[\]\\])")


def remove_streams(url: str, prefix: str, destination_id: int, feeding: Collection[int]) -> None:
    """Deletes a destination's streams, except those of the sources that are `feeding` it; safe to do again.

    Raises OutageError (DLQ_DISPATCH_AWAY) when Redis does not answer.
    """
    with translated("removing streams of parked changes"), connected(url) as client:
        left = _left(client, prefix, destination_id, frozenset(feeding))
        while page := list(islice(left, _SCAN_KEYS)):
            client.unlink(*page)


def _left(client: redis.Redis, prefix: str, destination_id: int, feeding: frozenset[int]) -> Iterator[str]:
    shape = re.compile(rf"{re.escape(prefix)}:(\d+):.*:{destination_id}(:late)?", re.DOTALL)
    pattern = _GLOB.sub(r"\\\1", prefix)
    for ending in (destination_id, f"{destination_id}:late"):
        for key in client.scan_iter(f"{pattern}:*:{ending}", count=_SCAN_KEYS):
            found = shape.fullmatch(key)
            if found is not None and int(found[1]) not in feeding:
                yield key
