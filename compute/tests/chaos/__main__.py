"""`make chaos`: the fault matrix over each engine, the planted bugs, and the isolation of targets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from compute.tests.chaos import isolation, matrix, planting, report
from compute.tests.chaos.arena import Arena
from compute.tests.chaos.servers import Servers, servers
from rosetta.enums import EngineKind


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table and writes the report; the exit status is 0 only when everything was as promised."""
    options = _options(arguments)
    faults = matrix.load()
    unknown = [name for name in options.only if name not in {*faults, *planting.SCENARIOS, "plants", "isolation"}]
    if unknown:
        _say(
            f"there is no fault {', '.join(unknown)}; there are {', '.join(faults)}, plants (or one's name), isolation"
        )
        return 2
    with servers() as made:
        run = report.Run(options.seed, options.changes, report.versions(_version(made)))
        _say(f"seed {run.seed}, {options.seeds} seeds a fault, {run.changes} changes a case, {dict(run.versions)}")
        for engine in options.engines:
            _say(f"engine {engine.value}")
            _run_faults(made, run, engine, options)
            _run_plants(made, run, engine, options)
            if not options.only or "isolation" in options.only:
                run.isolation[engine] = _isolation(made, engine, options)
            run.save()
    _print(run, faults)
    return 0 if run.passed else 1


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument(
        "--only", action="append", default=[], help="F1,F2,plants,isolation or a planted bug; may be repeated"
    )
    parser.add_argument("--engine", choices=[*EngineKind, "both"], default="both", help="which engine reads")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=5, help="cases a fault and engine")
    parser.add_argument("--changes", type=int, default=100_000, help="row changes a case, at least")
    parser.add_argument("--isolation-seconds", type=float, default=60.0, help="how long target A is stopped")
    options = parser.parse_args(arguments)
    options.only = [name for given in options.only for name in given.split(",")]
    options.engines = matrix.ENGINES if options.engine == "both" else (EngineKind(options.engine),)
    return options


def _run_faults(made: Servers, run: report.Run, engine: EngineKind, options: argparse.Namespace) -> None:
    """Those that share a pipeline come first, one after the other."""
    chosen = [one for name, one in matrix.load().items() if name in options.only or not options.only]
    stack = matrix.Stack(made, engine)
    for one in sorted(chosen, key=lambda one: not one.shares):
        reason = one.missing()
        if reason is not None:
            run.not_here[one.name] = reason
        elif engine in one.engines:
            for seed in range(options.seed, options.seed + options.seeds):
                _keep(run, stack.run(one, seed, run.changes))
    last = stack.close()
    if last is not None and not last.passed:
        _describe(last)


def _keep(run: report.Run, case: matrix.Case) -> None:
    """Says how a case went, and saves what there is: a long run that is broken off has shown something, too."""
    run.cases.append(case)
    run.save()
    _describe(case)


def _describe(case: matrix.Case) -> None:
    what = "passed" if case.passed else "FAILED"
    slowest = max(case.recoveries, default=0.0)
    _say(f"{case.fault} seed {case.seed}: {what} in {case.seconds:.0f} s, recovered within {slowest:.1f} s")
    for line in (*case.log, *case.verdict.notes):
        _say(f"    {line}")
    if case.failure is not None:
        _say(case.failure)


def _run_plants(made: Servers, run: report.Run, engine: EngineKind, options: argparse.Namespace) -> None:
    everything = not options.only or "plants" in options.only
    names = [name for name in planting.SCENARIOS if everything or name in options.only]
    for name, caught in planting.run_all(made, options.seed, engine, _say, names):
        run.planted.setdefault(engine, {})[name] = caught
        run.save()


def _isolation(made: Servers, engine: EngineKind, options: argparse.Namespace) -> float:
    with TemporaryDirectory() as folder, Arena(made, Path(folder), matrix.TARGETS, engine) as arena:
        arena.new_case(options.seed, 0)
        found = isolation.measure(arena, options.isolation_seconds)
    _say(found)
    return found.ratio


def _print(run: report.Run, faults: dict[str, matrix.Fault]) -> None:
    if run.cases or run.not_here:
        _say("\n" + run.table(faults))
        for line in run.left_out():
            _say(f"left out of {line}")
    for engine, bugs in run.planted.items():
        _say(f"{engine.value}: planted bugs caught {sum(bugs.values())} of {len(bugs)}")
    for engine, ratio in run.isolation.items():
        _say(f"{engine.value}: p99 lag of B with A stopped is {ratio:.2f} times what it is without")


def _version(made: Servers) -> str:
    with closing(made["source"].connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchall()[0][0])


if __name__ == "__main__":
    sys.exit(main())
