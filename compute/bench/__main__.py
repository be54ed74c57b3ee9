"""`python -m compute.bench`: one run, ratios of that run, and `.reports/bench.json`.

`--only lists` measures the API's lists instead, into `.reports/lists.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compute.bench import measure
from compute.bench.lists import measure_lists
from compute.bench.measure import Drain
from compute.bench.stage import Stage, stage
from compute.bench.workload import FULL_CHANGES, Workload
from rosetta.enums import EngineKind, Profile

REPORT = Path(".reports/bench.json")
LISTS_REPORT = Path(".reports/lists.json")
CONTENDERS = ["native", "pgoutput", "ours_fast", "ceiling", "ours_small", "naive", "latency", "latency_pgoutput"]
RATES = [100, 1000]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compute.bench", description=__doc__)
    parser.add_argument("--changes", type=int, default=FULL_CHANGES, help="size of the backlog")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--latency-seconds", type=float, default=10.0, help="0 leaves latency out")
    parser.add_argument("--only", choices=[*CONTENDERS, "lists"], nargs="*", default=CONTENDERS)
    parser.add_argument("--engine", type=EngineKind, default=EngineKind.DEBEZIUM, help="what streams beside the lists")
    options = parser.parse_args()
    if "lists" in options.only:
        _write(LISTS_REPORT, {"lists": measure_lists(options.engine)})
        options.only.remove("lists")
        if not options.only:
            return
    workload = Workload(options.changes, options.seed)
    print(f"workload z: {options.changes} changes, seed {options.seed}; writing the backlog", flush=True)
    with stage(workload, options.only) as servers:
        drains = _drains(servers, options.only)
        report = _report(options.changes, drains)
        if options.latency_seconds > 0:
            _add_latencies(report, servers, options.only, options.latency_seconds)
    report |= {"changes": options.changes, "seed": options.seed}
    _write(REPORT, report)


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def _drains(servers: Stage, only: list[str]) -> dict[str, Drain]:
    runs: dict[str, Callable[[], Drain]] = {
        "native": lambda: measure.drain_native(servers, "native"),
        "pgoutput": lambda: measure.drain_pgoutput(servers, "pgoutput"),
        "ours_fast": lambda: measure.drain_ours(servers, "ours_fast", Profile.FAST),
        "ceiling": lambda: measure.drain_ceiling(servers, "ceiling", Profile.FAST),
        "ours_small": lambda: measure.drain_ours(servers, "ours_small", Profile.SMALL),
        "naive": lambda: measure.drain_naive(servers, "naive"),
    }
    drains = {}
    for name, run in runs.items():
        if name in only:
            drains[name] = drain = run()
            print(f"{name:12} {drain.seconds:7.1f} s  {drain.resident_mb or '-'} MB", flush=True)
    return drains


def _report(changes: int, drains: dict[str, Drain]) -> dict[str, Any]:
    """Ratios of rates within this run; what was not measured is absent."""
    report: dict[str, Any] = {"rows_per_s": {name: round(changes / drain.seconds) for name, drain in drains.items()}}
    fast = drains.get("ours_fast")
    for name in ("native", "naive", "ceiling"):
        if fast is not None and name in drains:
            report[f"{name}_ratio"] = round(drains[name].seconds / fast.seconds, 2)
    resident = {
        profile: drains[name].resident_mb
        for profile, name in (("small", "ours_small"), ("fast", "ours_fast"))
        if name in drains and drains[name].resident_mb is not None
    }
    if resident:
        report["rss_mb"] = resident
    if second := _second_engine(drains):
        report["pgoutput"] = second
    return report


def _second_engine(drains: dict[str, Drain]) -> dict[str, Any]:
    drain, native = drains.get("pgoutput"), drains.get("native")
    figures: dict[str, Any] = {}
    if drain is not None and native is not None:
        figures["native_ratio"] = round(native.seconds / drain.seconds, 2)
    if drain is not None and drain.resident_mb is not None:
        figures["rss_mb"] = drain.resident_mb
    return figures


def _add_latencies(report: dict[str, Any], servers: Stage, only: list[str], seconds: float) -> None:
    if "latency" in only:
        report["latency_ms"] = measure.debezium_latencies(servers, "latency", RATES, seconds)
    if "latency_pgoutput" in only:
        figures = report.setdefault("pgoutput", {})
        figures["latency_ms"] = measure.pgoutput_latencies(servers, "latency_pgoutput", RATES, seconds)


if __name__ == "__main__":
    main()
