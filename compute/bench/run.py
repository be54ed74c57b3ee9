"""`python -m compute.bench`: one run, ratios of that run, and `.reports/bench.json`.

`--only lists` measures the API's lists instead, into `.reports/lists.json`. What `backfill` measures stands whole in
`.reports/backfill.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compute.bench import measure
from compute.bench.backfill import measure_backfill
from compute.bench.lists import measure_lists
from compute.bench.measure import Drain
from compute.bench.snowflake import measure_snowflake
from compute.bench.stage import FAN_OUT, Stage, stage
from compute.bench.workload import FULL_CHANGES, Workload
from rosetta.enums import EngineKind, Profile

REPORT = Path(".reports/bench.json")
BACKFILL_REPORT = Path(".reports/backfill.json")
BACKFILL_FIGURES = ("backfill_copy_ratio", "backfill_rss_mb")
LISTS_REPORT = Path(".reports/lists.json")
CONTENDERS = [
    "native",
    "pgoutput",
    "accelerated",
    FAN_OUT,
    "ours_fast",
    "ceiling",
    "ours_small",
    "naive",
    "latency",
    "latency_pgoutput",
    "backfill",
    "snowflake",
]
# Measured several times in turn, for their ratios are close together.
PAIRED = ["native", "pgoutput", "accelerated"]
RATES = [100, 1000]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compute.bench", description=__doc__)
    parser.add_argument("--changes", type=int, default=FULL_CHANGES, help="size of the backlog")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--latency-seconds", type=float, default=10.0, help="0 leaves latency out")
    parser.add_argument("--rounds", type=int, default=3, help=f"of {', '.join(PAIRED)}; their medians count")
    parser.add_argument(
        "--postgresql",
        type=int,
        nargs="+",
        metavar="MAJOR",
        default=[None],
        help="of both ends: the embedded server's version, or one of Debian's packages, as 15; several in turn",
    )
    parser.add_argument("--only", choices=[*CONTENDERS, "lists"], nargs="*", default=CONTENDERS)
    parser.add_argument("--engine", type=EngineKind, default=EngineKind.DEBEZIUM, help="what streams beside the lists")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table that is backfilled")
    parser.add_argument(
        "--under-load", action="store_true", help="backfill it once more while pgbench writes to it, and kill it twice"
    )
    options = parser.parse_args()
    report: dict[str, Any] = {}
    if "backfill" in options.only:
        figures = measure_backfill(EngineKind.PGOUTPUT, options.rows, under_load=options.under_load)
        _write(BACKFILL_REPORT, figures)
        report = {name: figures[name] for name in BACKFILL_FIGURES}
        options.only.remove("backfill")
        if not options.only:
            return
    if "snowflake" in options.only:
        loads = measure_snowflake()
        print(json.dumps(loads), flush=True)
        report |= loads
        options.only.remove("snowflake")
        if not options.only:
            return
    if "lists" in options.only:
        _write(LISTS_REPORT, {"lists": measure_lists(options.engine)})
        options.only.remove("lists")
        if not options.only:
            return
    first, *others = [_measure(options, version) for version in options.postgresql]
    report |= first
    if others:
        report["others"] = {other["postgresql"]: other for other in others}
    _write(REPORT, report | {"changes": options.changes, "seed": options.seed})


def _measure(options: argparse.Namespace, version: int | None) -> dict[str, Any]:
    """One run on servers of `version`: its figures are about nothing else."""
    workload = Workload(options.changes, options.seed)
    print(f"workload z: {options.changes} changes, seed {options.seed}; writing the backlog", flush=True)
    again = [f"{name}_{number}" for number in range(2, options.rounds + 1) for name in PAIRED if name in options.only]
    with stage(workload, [*options.only, *again], version) as servers:
        print(f"PostgreSQL {servers.version} at both ends", flush=True)
        report = {"postgresql": servers.version} | _report(options.changes, _drains(servers, [*options.only, *again]))
        if options.latency_seconds > 0:
            _add_latencies(report, servers, options.only, options.latency_seconds)
    return report


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


def _drains(servers: Stage, slots: list[str]) -> dict[str, Drain]:
    runs: dict[str, Callable[[str], Drain]] = {
        "native": lambda slot: measure.drain_native(servers, slot),
        "pgoutput": lambda slot: measure.drain_pgoutput(servers, slot, accelerated=False),
        "accelerated": lambda slot: measure.drain_pgoutput(servers, slot, accelerated=True),
        FAN_OUT: lambda slot: measure.drain_pgoutput(servers, slot, accelerated=True),
        "ours_fast": lambda slot: measure.drain_ours(servers, slot, Profile.FAST),
        "ceiling": lambda slot: measure.drain_ceiling(servers, slot, Profile.FAST),
        "ours_small": lambda slot: measure.drain_ours(servers, slot, Profile.SMALL),
        "naive": lambda slot: measure.drain_naive(servers, slot),
    }
    rounds: dict[str, list[Drain]] = {}
    for slot in slots:
        name = slot.rstrip("_0123456789")
        if name in runs:
            servers.settle()
            drain = runs[name](slot)
            rounds.setdefault(name, []).append(drain)
            took = "  ".join(f"{who} {seconds:.1f}" for who, seconds in drain.processor_s.items())
            print(f"{slot:14} {drain.seconds:7.1f} s  {drain.resident_mb or '-':>4} MB   {took}", flush=True)
    return {name: _median(drains) for name, drains in rounds.items()}


def _median(drains: list[Drain]) -> Drain:
    resident = [drain.resident_mb for drain in drains if drain.resident_mb is not None]
    took = {who: statistics.median(drain.processor_s[who] for drain in drains) for who in drains[0].processor_s}
    return Drain(statistics.median(drain.seconds for drain in drains), max(resident, default=None), took)


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
    million = changes / 1e6
    report["processor_s_per_million"] = {
        name: {who: round(seconds / million, 2) for who, seconds in drain.processor_s.items()}
        for name, drain in drains.items()
        if drain.processor_s
    }
    if second := _second_engine(drains):
        report["pgoutput"] = second
    return report


def _second_engine(drains: dict[str, Drain]) -> dict[str, Any]:
    native, figures = drains.get("native"), dict[str, Any]()
    for name, figure in (("pgoutput", "native_ratio"), ("accelerated", "accelerated_ratio")):
        drain = drains.get(name)
        if drain is not None and native is not None:
            figures[figure] = round(native.seconds / drain.seconds, 2)
        if drain is not None and drain.resident_mb is not None:
            figures["rss_mb"] = max(drain.resident_mb, figures.get("rss_mb", 0))
    one, many = (_engine_seconds(drains[name]) if name in drains else None for name in ("accelerated", FAN_OUT))
    if one and many:
        figures["four_targets_engine_ratio"] = round(many / one, 2)
    return figures


def _engine_seconds(drain: Drain) -> float | None:
    """Processor time of our process without the threads that write, of which each target has its own."""
    took = drain.processor_s
    return took["ours"] - took["writers"] if "writers" in took else None


def _add_latencies(report: dict[str, Any], servers: Stage, only: list[str], seconds: float) -> None:
    if "latency" in only:
        report["latency_ms"] = measure.debezium_latencies(servers, "latency", RATES, seconds)
    if "latency_pgoutput" in only:
        figures = report.setdefault("pgoutput", {})
        figures["latency_ms"] = measure.pgoutput_latencies(servers, "latency_pgoutput", RATES, seconds)
