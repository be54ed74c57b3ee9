"""What a run of the matrix showed: the table for people, and `.reports/chaos.json`."""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from compute.tests.chaos.matrix import Case, Fault
from compute.tests.chaos.workload import APPENDED
from rosetta import __version__
from rosetta.enums import EngineKind

ROOT: Final = Path(__file__).resolve().parents[3]
REPORT: Final = ROOT / ".reports" / "chaos.json"
_COUNTS: Final = ("lost", "different", "duplicated", "gone_back", "orphans")
_HEAD: Final = ("fault", "engine", "runs", "passed", *_COUNTS, "p50 s", "p95 s", "max s", "peak MB", "what")
_RECOVERY: Final = (("p50", 0.5), ("p95", 0.95), ("max", 1.0))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


@dataclass
class Run:
    """Everything that one command measured; what it did not measure is absent.

    Attributes:
        planted: by engine, each planted bug and whether it was caught.
        isolation: by engine, how many times the p99 lag of B without the fault it is with A stopped.
        not_here: faults that this machine cannot inject, with the reason.
    """

    seed: int
    changes: int
    versions: Mapping[str, str]
    cases: list[Case] = field(default_factory=list)
    planted: dict[EngineKind, dict[str, bool]] = field(default_factory=dict)
    isolation: dict[EngineKind, float] = field(default_factory=dict)
    not_here: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether all that was run was as promised; what is not here is neither."""
        caught = all(all(bugs.values()) for bugs in self.planted.values())
        return all(case.passed for case in self.cases) and caught and all(one <= 2.0 for one in self.isolation.values())

    def as_json(self) -> dict[str, Any]:
        """The shape that `.reports/chaos.json` has."""
        body: dict[str, Any] = {"seed": self.seed, "changes": self.changes, "versions": dict(self.versions)}
        body["engines"] = {}
        for engine in EngineKind:
            found: dict[str, Any] = {}
            grouped = self._grouped()
            found["faults"] = {name: _summary(cases) for (name, of), cases in grouped.items() if of is engine}
            if engine in self.planted:
                bugs = self.planted[engine]
                found["planted_bugs"] = {"caught": sum(bugs.values()), "of": len(bugs)}
            if engine in self.isolation:
                found["isolation_ratio"] = round(self.isolation[engine], 3)
            if any(found.values()):
                body["engines"][engine.value] = found
        body["not_here"] = self.not_here
        body["left_out"] = self.left_out()
        return body

    def left_out(self) -> list[str]:
        """What the counts leave out, in words."""
        spared = sum(case.spared for case in self.cases)
        return [
            f"orphans: {spared} temp tables of killed servers, which drop them by themselves once they run again",
            f"{APPENDED}: it keeps every change, so its changes are counted, from the start or resync of the case on",
        ]

    def save(self) -> None:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def table(self, faults: Mapping[str, Fault]) -> str:
        """One line for each fault and engine, the widest column last."""
        rows: list[tuple[str, ...]] = [_HEAD]
        for (name, engine), cases in self._grouped().items():
            summary = _summary(cases)
            figures = [summary.get(f"recovery_{at}_s") for at, _ in _RECOVERY]
            rows.append(
                (
                    name,
                    engine.value,
                    str(len(cases)),
                    str(summary["passed"]),
                    *(str(summary[what]) for what in _COUNTS),
                    *("-" if figure is None else f"{figure:.1f}" for figure in figures),
                    str(summary["peak_mb"]),
                    faults[name].title,
                )
            )
        rows += [
            (name, "-", "0", *["-"] * (len(_HEAD) - 4), f"{faults[name].title}: not here: {reason}")
            for name, reason in self.not_here.items()
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
        return "\n".join(line.rstrip() for line in lines)

    def _grouped(self) -> dict[tuple[str, EngineKind], list[Case]]:
        found: dict[tuple[str, EngineKind], list[Case]] = {}
        for case in sorted(self.cases, key=lambda one: (int(one.fault[1:]), one.engine)):
            found.setdefault((case.fault, case.engine), []).append(case)
        return found


def _summary(cases: Sequence[Case]) -> dict[str, Any]:
    summary: dict[str, Any] = {"runs": len(cases), "passed": sum(case.passed for case in cases)}
    summary |= {what: sum(int(getattr(case.verdict, what)) for case in cases) for what in _COUNTS}
    recoveries = [seconds for case in cases for seconds in case.recoveries]
    for name, share in _RECOVERY:
        value = percentile(recoveries, share)
        if value is not None:
            summary[f"recovery_{name}_s"] = round(value, 2)
    summary["peak_mb"] = max(round(case.peak_bytes / 1e6) for case in cases)
    return summary


def versions(postgres: str) -> dict[str, str]:
    """Of what was tested, and with what."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "rosetta": __version__,
        "commit": commit.stdout.strip() or "unknown",
        "postgresql": postgres,
        "python": platform.python_version(),
    }
