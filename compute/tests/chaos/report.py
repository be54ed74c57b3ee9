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
from rosetta import __version__

ROOT: Final = Path(__file__).resolve().parents[3]
REPORT: Final = ROOT / ".reports" / "chaos.json"
_COUNTS: Final = ("lost", "different", "duplicated", "gone_back", "orphans")
_HEAD: Final = ("fault", "runs", "passed", *_COUNTS, "p50 s", "p95 s", "max s", "what")


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


@dataclass
class Run:
    """Everything that one command measured; what it did not measure is absent."""

    seed: int
    changes: int
    versions: Mapping[str, str]
    cases: list[Case] = field(default_factory=list)
    planted: dict[str, bool] = field(default_factory=dict)
    isolation_ratio: float | None = None

    @property
    def passed(self) -> bool:
        isolated = self.isolation_ratio is None or self.isolation_ratio <= 2.0
        return all(case.passed for case in self.cases) and all(self.planted.values()) and isolated

    def as_json(self) -> dict[str, Any]:
        """The shape that `.reports/chaos.json` has."""
        body: dict[str, Any] = {"seed": self.seed, "changes": self.changes, "versions": dict(self.versions)}
        body["faults"] = {name: _summary(cases) for name, cases in self._by_fault().items()}
        if self.planted:
            body["planted_bugs"] = {"caught": sum(self.planted.values()), "of": len(self.planted)}
        if self.isolation_ratio is not None:
            body["isolation_ratio"] = round(self.isolation_ratio, 3)
        return body

    def save(self) -> None:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(json.dumps(self.as_json(), indent=2) + "\n")

    def table(self, faults: Mapping[str, Fault]) -> str:
        """One line for each fault, the widest column last."""
        rows: list[tuple[str, ...]] = [_HEAD]
        for name, cases in self._by_fault().items():
            recoveries = [seconds for case in cases for seconds in case.recoveries]
            times = [percentile(recoveries, share) for share in (0.5, 0.95, 1.0)]
            rows.append(
                (
                    name,
                    str(len(cases)),
                    str(sum(case.passed for case in cases)),
                    *(str(_total(cases, what)) for what in _COUNTS),
                    *("-" if value is None else f"{value:.1f}" for value in times),
                    faults[name].title,
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)

    def _by_fault(self) -> dict[str, list[Case]]:
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.fault, []).append(case)
        return found


def _summary(cases: Sequence[Case]) -> dict[str, Any]:
    summary: dict[str, Any] = {"runs": len(cases), "passed": sum(case.passed for case in cases)}
    summary |= {what: _total(cases, what) for what in _COUNTS}
    recoveries = [seconds for case in cases for seconds in case.recoveries]
    for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
        value = percentile(recoveries, share)
        if value is not None:
            summary[f"recovery_{name}_s"] = round(value, 2)
    return summary


def _total(cases: Sequence[Case], what: str) -> int:
    return sum(int(getattr(case.verdict, what)) for case in cases)


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
