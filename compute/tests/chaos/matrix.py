"""The fault matrix: every fault by its number, and how one case of it is run and judged."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from compute.tests.chaos import faults
from compute.tests.chaos.arena import Arena
from compute.tests.chaos.oracle import Verdict
from compute.tests.chaos.servers import Servers
from rosetta.enums import EngineKind

Act = Callable[[Arena], Verdict | None]
TARGETS: Final = ("a", "b")
ENGINES: Final = (EngineKind.DEBEZIUM, EngineKind.PGOUTPUT)


@dataclass(frozen=True)
class Fault:
    """One row of the matrix.

    Attributes:
        act: injects the fault, removes it, asserts what must have happened, and may judge by itself.
        targets: roles of the pipeline's destinations.
        shares: begins on a pipeline that runs, and leaves one that runs well.
        engines: where the fault can be.
        missing: why it cannot be injected on this machine, or None.
    """

    name: str
    title: str
    act: Act
    targets: tuple[str, ...]
    shares: bool
    engines: tuple[EngineKind, ...]
    missing: Callable[[], str | None]


@dataclass
class Case:
    """What one run of a fault showed; `failure` is a trace where it did not come to its end.

    `spared` counts temp tables that are no orphans: a server that was killed had them, and drops them by itself.
    """

    fault: str
    engine: EngineKind
    seed: int
    verdict: Verdict = field(default_factory=Verdict)
    recoveries: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failure: str | None = None
    log: Sequence[str] = ()
    peak_bytes: int = 0
    spared: int = 0

    @property
    def passed(self) -> bool:
        return self.failure is None and self.verdict.clean


FAULTS: Final[dict[str, Fault]] = {}


def fault(
    name: str,
    title: str,
    *,
    targets: tuple[str, ...] = ("a",),
    shares: bool = False,
    engines: tuple[EngineKind, ...] = ENGINES,
    missing: Callable[[], str | None] = lambda: None,
) -> Callable[[Act], Act]:
    """Enters a function into the matrix."""

    def enter(act: Act) -> Act:
        FAULTS[name] = Fault(name, title, act, TARGETS if shares else targets, shares, engines, missing)
        return act

    return enter


def load() -> dict[str, Fault]:
    """All faults, in the order of their numbers."""
    for module in pkgutil.iter_modules(faults.__path__):
        importlib.import_module(f"{faults.__name__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda item: int(item[0][1:])))


def run_case(servers: Servers, one: Fault, seed: int, changes: int, engine: EngineKind, **settings: object) -> Case:
    """Runs a fault once, on databases of its own that are dropped again. Raises nothing that the case is to blame for.

    `settings` go to every service of the case.
    """
    case, started = Case(one.name, engine, seed), time.monotonic()
    folder = _new_folder()
    servers.mend()
    try:
        with Arena(servers, folder, one.targets, engine) as arena:
            arena.settings.update(settings)
            _act(case, one, arena, changes, Arena.judge)
    except Exception:  # noqa: BLE001 - whatever went wrong is this case's result
        case.failure = traceback.format_exc() + _last_words(folder)
    case.seconds = time.monotonic() - started
    shutil.rmtree(folder, ignore_errors=True)
    return case


class Stack:
    """Runs the cases of one engine, those that share one after the other on one pipeline.

    A new one is begun behind a case that failed, and when so many changes have made its tables large.
    """

    def __init__(self, servers: Servers, engine: EngineKind, most_changes: int = 60_000) -> None:
        self._servers, self._engine, self._most_changes = servers, engine, most_changes
        self._folder = Path()
        self._arena: Arena | None = None
        self._last: Case | None = None
        self._taken = 0

    def run(self, one: Fault, seed: int, changes: int) -> Case:
        """One case. Raises nothing that the case is to blame for."""
        if not one.shares:
            self.close()
            return run_case(self._servers, one, seed, changes, self._engine)
        case, started = Case(one.name, self._engine, seed), time.monotonic()
        self._last = case
        try:
            _act(case, one, self._shared(), changes, Arena.check)
        except Exception:  # noqa: BLE001 - as in `run_case`
            case.failure = traceback.format_exc() + _last_words(self._folder)
        self._taken += changes
        if not case.passed or self._taken >= self._most_changes:
            self.close()
        case.seconds = time.monotonic() - started
        return case

    def _shared(self) -> Arena:
        if self._arena is None:
            self._servers.mend()
            self._folder = _new_folder()
            self._arena = Arena(self._servers, self._folder, TARGETS, self._engine)
        return self._arena

    def close(self) -> Case | None:
        """Ends the pipeline that was shared; what outlives it is laid to the last case, which is returned."""
        arena, last, self._arena, self._taken = self._arena, self._last, None, 0
        if arena is None or last is None:
            return None
        try:
            if last.passed:
                arena.end(last.verdict, slots=1)
        except Exception:  # noqa: BLE001 - as in `run_case`
            last.failure = traceback.format_exc() + _last_words(self._folder)
        finally:
            arena.close()
            shutil.rmtree(self._folder, ignore_errors=True)
        return last


def _act(case: Case, one: Fault, arena: Arena, changes: int, judge: Callable[[Arena], Verdict]) -> None:
    arena.new_case(case.seed, changes)
    spared = len(arena.spared)
    case.recoveries, case.log = arena.recoveries, arena.log
    case.verdict = one.act(arena) or judge(arena)
    case.peak_bytes, case.spared = arena.peak_bytes, len(arena.spared) - spared


def _new_folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="rosetta-case-"))
    made.chmod(0o755)
    return made


def _last_words(folder: Path) -> str:
    """The end of what the services logged."""
    logs = sorted(folder.glob("*/compute.log"))
    return "".join(f"\n--- {path.parent.name}\n" + "\n".join(path.read_text().splitlines()[-15:]) for path in logs)
