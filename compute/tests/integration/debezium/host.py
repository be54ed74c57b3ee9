"""A process with one JVM that serves the engines of many tests; the JVM's death is never pytest's."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from compute.core.batch import TableSpec
from compute.engine.base import EngineSource
from rosetta.enums import EngineKind, Profile
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition


@dataclass(frozen=True)
class Start:
    source: EngineSource
    position: StreamPosition
    tables: Mapping[TableId, TableSpec]
    profile: Profile = Profile.SMALL
    memory: Mapping[str, int] = field(default_factory=dict)
    cuts: Sequence[StreamPosition] = ()
    engine: EngineKind = EngineKind.DEBEZIUM
    in_progress: bool = False  # of pgoutput


class HostError(Exception):
    """What an engine raised over there: its kind, its code, its message."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(f"{kind} {code}: {message}")
        self.kind, self.code, self.message = kind, code, message


def _new_engine(start: Start) -> Any:
    from compute.engine.debezium.engine import DebeziumEngine
    from compute.engine.pgoutput.engine import PgoutputEngine

    if start.engine is EngineKind.DEBEZIUM:
        return DebeziumEngine(start.source, start.profile)
    return PgoutputEngine(start.source, start.profile, in_progress=start.in_progress)


def _answer(engines: dict[int, Any], name: str, arguments: tuple[Any, ...]) -> Any:
    if name == "start":
        number, start = arguments
        engine = _new_engine(start)
        limits = {name: value for name, value in start.memory.items() if hasattr(engine._memory, name)}
        engine._memory = replace(engine._memory, **limits)
        engines[number] = engine
        return engine.start(start.position, start.tables, start.cuts)
    if name == "process":
        return {"files": sorted(path.name for path in Path().iterdir()), "signals": list(_signals)}
    if name == "commits":
        return _commits_in_turn()
    number, *rest = arguments
    return getattr(engines[number], name)(*rest)


def _commits_in_turn() -> list[bool | int]:
    """What a reader and the thread that reads the WAL say to each other; each step's answer."""
    from compute.engine.debezium.jvm import java_class

    commits = java_class("rosetta.engine.Commits").of("test")
    first, second = java_class("java.lang.Object")(), java_class("java.lang.Object")()
    answers: list[bool | int] = [bool(commits.completed(first, 5)), int(commits.endAfter(first))]
    answers.append(int(commits.endAfterOrWake(second)))  # its transaction is still open: the reader asks to be woken
    answers += [bool(commits.completed(second, 9)), int(commits.endAfterOrWake(second))]
    answers += [bool(commits.completed(second, 12)), int(commits.endAfter(second))]
    return answers


_signals: list[int] = []


def _serve(pipe: Connection, folder: str, jvm_options: str) -> None:
    os.chdir(folder)
    os.environ["PYDBZ_JVM_OPTS"] = f"{os.environ.get('PYDBZ_JVM_OPTS', '')} {jvm_options}"
    signal.signal(
        signal.SIGTERM, lambda number, _: _signals.append(number)
    )  # before the JVM, which must leave it alone
    engines: dict[int, Any] = {}
    while True:
        try:
            name, arguments = pipe.recv()
        except EOFError:
            os._exit(0)
        try:
            pipe.send((None, _answer(engines, name, arguments)))
        except RosettaError as error:
            pipe.send(((type(error).__name__, error.code, error.message), None))


class EngineHost:
    def __init__(self, folder: str, jvm_options: str = "") -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, folder, jvm_options), daemon=True)
        self.process.start()
        theirs.close()
        self._numbers = 0

    def call(self, name: str, *arguments: Any) -> Any:
        self._pipe.send((name, arguments))
        if not self._pipe.poll(120):
            raise TimeoutError(f"{name} was not answered")
        error, result = self._pipe.recv()
        if error is not None:
            raise HostError(*error)
        return result

    def new_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def close(self) -> None:
        self._pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
