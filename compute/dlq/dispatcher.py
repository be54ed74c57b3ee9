"""Redis streams that say which rows of the ledger are to be tried; never the truth about any of them.

A stream `{prefix}:{source_id}:{schema.table}:{destination_id}` has one entry per open row, with the row's id as its
own (`<row>-0`), so that a row's entry is found and taken away without a search. Ids must ascend in a stream; a row
that comes late (two threads, or two pipelines that share the stream) gets the next free id, kept in the hash
`<stream>:late`. No entry leaves a stream but through `forget`: no MAXLEN, no expiry.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from compute.dlq.records import Parked
from rosetta.identifiers import TableId

if TYPE_CHECKING:
    from compute.dlq.redis_link import RedisLink

GROUP: Final = "rosetta"
_PAGE_ROWS: Final = 1_000
_ANNOUNCE: Final = """
local created = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if created.err and not string.find(created.err, 'BUSYGROUP') then return created end
for i = 2, #ARGV do
  local row = ARGV[i]
  local added = redis.pcall('XADD', KEYS[1], row .. '-0', 'row', row)
  if type(added) == 'table' and added.err then
    if not string.find(added.err, 'equal or smaller') then return added end
    if #redis.call('XRANGE', KEYS[1], row .. '-0', row .. '-0') == 0
        and redis.call('HEXISTS', KEYS[2], row) == 0 then
      local info, last = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0'
      for j = 1, #info, 2 do if info[j] == 'last-generated-id' then last = info[j + 1] end end
      local ms, seq = string.match(last, '(%d+)-(%d+)')
      local id = ms .. '-' .. string.format('%d', tonumber(seq) + 1)
      redis.call('XADD', KEYS[1], id, 'row', row)
      redis.call('HSET', KEYS[2], row, id)
    end
  end
end
return redis.status_reply('OK')"""
_FORGET: Final = """
for i = 2, #ARGV do
  local row = ARGV[i]
  local id = redis.call('HGET', KEYS[2], row)
  if id then redis.call('HDEL', KEYS[2], row) else id = row .. '-0' end
  redis.pcall('XACK', KEYS[1], ARGV[1], id)
  redis.call('XDEL', KEYS[1], id)
end
return redis.status_reply('OK')"""


class Dispatcher:
    """The streams of one pipeline; safe to share between threads.

    Every method raises OutageError (DLQ_DISPATCH_AWAY), within seconds, when Redis does not answer or does not take
    what it is given; all may be called again.
    """

    def __init__(self, url: str, prefix: str, source_id: int, pipeline_id: int) -> None:
        self._url = url
        self._prefix = prefix
        self._source_id = source_id
        self._consumer = f"pipeline-{pipeline_id}"  # the same after a restart: what was delivered is still its own
        self._lock = threading.Lock()
        self._opened: RedisLink | None = None

    def key(self, destination_id: int, table: TableId) -> str:
        """The name of a stream."""
        return f"{self._prefix}:{self._source_id}:{table}:{destination_id}"

    def check(self) -> None:
        """Returns if Redis takes entries now."""
        self._link.ping("asking Redis")

    def announce(self, rows: Iterable[Parked]) -> None:
        """Gives every row its entry; one that has it keeps it. Returns once Redis has taken all of them."""
        self._run(_ANNOUNCE, rows, "announcing parked changes")

    def forget(self, rows: Iterable[Parked]) -> None:
        """Acknowledges and deletes the entries of rows that are no longer open; those without one are passed over."""
        self._run(_FORGET, rows, "acknowledging parked changes")

    def receive(self, destination_id: int, table: TableId) -> int:
        """Takes what is new in a stream through the consumer group; returns how many entries that were.

        They stay pending, this pipeline's own, until they are forgotten.
        """
        key, taken = self.key(destination_id, table), 0
        while True:
            found = self._link.take_new(key, GROUP, self._consumer, _PAGE_ROWS, "reading parked changes")
            # Without a group: it was lost with the stream, and both are made again from the ledger.
            taken += found or 0
            if found is None or found < _PAGE_ROWS:
                return taken

    def length(self, destination_id: int, table: TableId) -> int:
        """How many entries a stream has; 0 when it does not exist."""
        return self._link.length(self.key(destination_id, table), "counting parked changes")

    def pages(self, destination_id: int, table: TableId) -> Iterator[list[Parked]]:
        """The rows that have an entry, in pages. What is added meanwhile may or may not be among them."""
        key, start = self.key(destination_id, table), "-"
        while page := self._link.entries(key, start, _PAGE_ROWS, "listing parked changes"):
            yield [Parked(int(fields["row"]), destination_id, table) for _, fields in page]
            start = f"({page[-1][0]}"

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _link(self) -> RedisLink:
        with self._lock:
            if self._opened is None:
                from compute.dlq.redis_link import RedisLink

                self._opened = RedisLink(self._url)
            return self._opened

    def _run(self, script: str, rows: Iterable[Parked], doing: str) -> None:
        streams: dict[str, list[int]] = defaultdict(list)
        for row in rows:
            streams[self.key(row.destination_id, row.table)].append(row.row_id)
        for key, row_ids in streams.items():
            ascending = iter(sorted(row_ids))
            while page := list(islice(ascending, _PAGE_ROWS)):
                self._link.run(script, (key, f"{key}:late"), (GROUP, *map(str, page)), doing)
