"""What a copy knows of transactions at a standby: each is asked for until it is over, and then never again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from compute.backfill.standby import Seen, StandbyView


class Server:
    """Answers as a server in recovery; `bounds` None: a primary."""

    def __init__(self) -> None:
        self.bounds: tuple[int, int] | None = (10, 10)
        self.open: set[int] = set()
        self.asked: list[list[int]] = []
        self._answer: tuple[Any, ...] | None = None

    def execute(self, _query: str, values: Sequence[Any] | None = None) -> None:
        if values is None:
            self._answer = None if self.bounds is None else (*self.bounds, 777)
            return
        known, first, behind = values
        self.asked.append(sorted({*known, *range(first, behind)}))
        self._answer = ([xid for xid in self.asked[-1] if xid in self.open],)

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._answer


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_primary_is_asked_once(server: Server) -> None:
    server.bounds = None
    assert StandbyView().seen(server) is None
    assert not server.asked


def test_what_is_over_is_not_asked_for_again(server: Server) -> None:
    view = StandbyView()
    server.bounds, server.open = (10, 15), {10, 13}
    assert view.seen(server) == Seen("10:15:10,13", 777)
    server.bounds, server.open = (10, 18), {10, 16}
    assert view.seen(server) == Seen("10:18:10,16", 777)
    server.bounds, server.open = (16, 18), {16}
    assert view.seen(server) == Seen("16:18:16", 777)
    server.bounds, server.open = (18, 18), set()
    assert view.seen(server) == Seen("18:18:", 777)
    assert server.asked == [[10, 11, 12, 13, 14], [10, 13, 15, 16, 17], [10, 16], [16]]


def test_a_server_that_is_another_one_is_asked_from_the_start(server: Server) -> None:
    view = StandbyView()
    server.bounds, server.open = (100, 103), {101}
    assert view.seen(server) == Seen("100:103:101", 777)
    server.bounds, server.open = (10, 12), {10}
    assert view.seen(server) == Seen("10:12:10", 777)
