"""Sessions that change a database beside a test, each on a thread of its own."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually

_JOIN_SECONDS = 60.0


class SideLoad(ABC):
    """Works until the block ends; what fails of it fails the block, unless that has failed by itself.

    `ended` is set when it is to stop. `transactions` counts what all sessions have done together.
    """

    def __init__(self, sessions: int = 1) -> None:
        self.ended = threading.Event()
        self.transactions = 0
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(sessions)]

    @abstractmethod
    def work(self, number: int) -> None:
        """What session `number`, counted from 0, does until `ended` is set."""

    @property
    def working(self) -> bool:
        """Whether any session has more to do."""
        return any(thread.is_alive() for thread in self._threads)

    def more(self, transactions: int) -> None:
        """Returns when so many more are done."""
        reached = self.transactions + transactions
        eventually(lambda: self.transactions >= reached, 60, "the load goes on")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        if self._failures and error is None:
            raise self._failures[0]

    def _run(self, number: int) -> None:
        try:
            self.work(number)
        except BaseException as error:  # noqa: BLE001 - it belongs to the test's thread
            self._failures.append(error)


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
