"""Sessions that change a database beside a test, each on a thread of its own."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from types import TracebackType
from typing import Self

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually

_END_SECONDS = 60.0


class SideLoad(ABC):
    """Works until the block ends; what fails of it fails the block, unless that has failed by itself.

    `ended` is set when it is to stop. `transactions` counts what all sessions have done together.
    """

    def __init__(self, sessions: int = 1) -> None:
        self.ended = threading.Event()
        self.transactions = 0
        self._threads = ThreadPoolExecutor(sessions)
        self._numbers = range(sessions)
        self._sessions: list[Future[None]] = []

    @abstractmethod
    def work(self, number: int) -> None:
        """What session `number`, counted from 0, does until `ended` is set."""

    @property
    def working(self) -> bool:
        """Whether any session has more to do."""
        return not all(session.done() for session in self._sessions)

    def more(self, transactions: int) -> None:
        """Returns when so many more are done."""
        reached = self.transactions + transactions
        eventually(lambda: self.transactions >= reached, 60, "the load goes on")

    def __enter__(self) -> Self:
        self._sessions = [self._threads.submit(self.work, number) for number in self._numbers]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ended.set()
        wait(self._sessions, _END_SECONDS)
        self._threads.shutdown(wait=False)
        if error is None:
            for session in self._sessions:
                session.result(0)


class SourceLoad(SideLoad):
    """Commits one transaction after the other at a stage's source, in a session for each of `seeds`."""

    def __init__(self, stage: Stage, pause_seconds: float, seeds: Sequence[int] = (7,)) -> None:
        super().__init__(len(seeds))
        self._stage = stage
        self._pause_seconds = pause_seconds
        self._seeds = seeds

    @abstractmethod
    def transaction(self, chance: random.Random, number: int) -> Iterable[str]:
        """The next one of session `number`, statement by statement."""

    def work(self, number: int) -> None:
        chance = random.Random(self._seeds[number])
        with closing(self._stage.cluster.connect(self._stage.source_database)) as session, session.cursor() as cursor:
            while not self.ended.wait(self._pause_seconds):
                for statement in self.transaction(chance, number):
                    cursor.execute(statement)
                self.transactions += 1
