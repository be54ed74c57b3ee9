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

Act = Callable[[Arena], Verdict | None]


@dataclass(frozen=True)
class Fault:
    """One row of the matrix.

    Attributes:
        act: injects the fault, removes it, asserts what must have happened, and may judge by itself.
        targets: roles of the pipeline's destinations.
        minimum: part of every test run; the others are for the long lane.
    """

    name: str
    title: str
    act: Act
    targets: tuple[str, ...]
    minimum: bool


@dataclass
class Case:
    """What one run of a fault showed; `failure` is a trace where it did not come to its end."""

    fault: str
    seed: int
    verdict: Verdict = field(default_factory=Verdict)
    recoveries: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failure: str | None = None
    log: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return self.failure is None and self.verdict.clean


FAULTS: Final[dict[str, Fault]] = {}


def fault(name: str, title: str, *, targets: tuple[str, ...] = ("a",), minimum: bool = True) -> Callable[[Act], Act]:
    """Enters a function into the matrix."""

    def enter(act: Act) -> Act:
        FAULTS[name] = Fault(name, title, act, targets, minimum)
        return act

    return enter


def load() -> dict[str, Fault]:
    """All faults, in the order of their numbers."""
    for module in pkgutil.iter_modules(faults.__path__):
        importlib.import_module(f"{faults.__name__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda item: int(item[0][1:])))


def run_case(servers: Servers, one: Fault, seed: int, changes: int, **settings: object) -> Case:
    """Runs a fault once, on databases of its own that are dropped again. Raises nothing that the case is to blame for.

    `settings` go to every service of the case.
    """
    case, started = Case(one.name, seed), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix=f"rosetta-{one.name.lower()}-"))
    try:
        with Arena(servers, seed, changes, folder, one.targets) as arena:
            case.recoveries, case.log = arena.recoveries, arena.log
            arena.settings.update(settings)
            case.verdict = one.act(arena) or arena.judge()
    except Exception:  # noqa: BLE001 - whatever went wrong is this case's result
        case.failure = traceback.format_exc() + _last_words(folder)
    case.seconds = time.monotonic() - started
    servers.drop_databases()
    shutil.rmtree(folder, ignore_errors=True)
    return case


def _last_words(folder: Path) -> str:
    """The end of what the services logged."""
    logs = sorted(folder.glob("*/compute.log"))
    return "".join(f"\n--- {path.parent.name}\n" + "\n".join(path.read_text().splitlines()[-15:]) for path in logs)
