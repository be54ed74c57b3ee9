"""`make chaos`: the fault matrix with many seeds and many changes, the planted bugs, and the isolation of targets."""

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table and writes the report; the exit status is 0 only when everything was as promised."""
    options = _options(arguments)
    faults = matrix.load()
    chosen = [one for name, one in faults.items() if name in options.only or not options.only]
    unknown = [name for name in options.only if name not in {*faults, *planting.SCENARIOS, "plants", "isolation"}]
    if unknown:
        _say(
            f"there is no fault {', '.join(unknown)}; there are {', '.join(faults)}, plants (or one's name), isolation"
        )
        return 2
    with servers() as made:
        run = report.Run(options.seed, options.changes, report.versions(_version(made)))
        _say(f"seed {run.seed}, {options.seeds} seeds a fault, {run.changes} changes a case, {dict(run.versions)}")
        for one in chosen:
            for seed in range(options.seed, options.seed + options.seeds):
                _keep(run, matrix.run_case(made, one, seed, run.changes))
        everything = not options.only or "plants" in options.only
        names = [name for name in planting.SCENARIOS if everything or name in options.only]
        for name, caught in planting.run_all(made, options.seed, _say, names):
            run.planted[name] = caught
            run.save()
        if not options.only or "isolation" in options.only:
            run.isolation_ratio = _isolation(made, options)
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
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=5, help="cases a fault")
    parser.add_argument("--changes", type=int, default=100_000, help="row changes a case, at least")
    parser.add_argument("--isolation-seconds", type=float, default=60.0, help="how long target A is stopped")
    options = parser.parse_args(arguments)
    options.only = [name for given in options.only for name in given.split(",")]
    return options


def _keep(run: report.Run, case: matrix.Case) -> None:
    """Says how a case went, and saves what there is: a long run that is broken off has shown something, too."""
    run.cases.append(case)
    run.save()
    what = "passed" if case.passed else "FAILED"
    slowest = max(case.recoveries, default=0.0)
    _say(f"{case.fault} seed {case.seed}: {what} in {case.seconds:.0f} s, recovered within {slowest:.1f} s")
    for line in (*case.log, *case.verdict.notes):
        _say(f"    {line}")
    if case.failure is not None:
        _say(case.failure)


def _isolation(made: Servers, options: argparse.Namespace) -> float:
    with TemporaryDirectory() as folder, Arena(made, options.seed, 0, Path(folder), ("a", "b")) as arena:
        found = isolation.measure(arena, options.isolation_seconds)
    made.drop_databases()
    _say(found)
    return found.ratio


def _print(run: report.Run, faults: dict[str, matrix.Fault]) -> None:
    if run.cases:
        _say("\n" + run.table(faults))
    if run.planted:
        _say(f"planted bugs caught {sum(run.planted.values())} of {len(run.planted)}")
    if run.isolation_ratio is not None:
        _say(f"isolation: p99 lag of B with A stopped is {run.isolation_ratio:.2f} times what it is without")


def _version(made: Servers) -> str:
    with closing(made["source"].connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchall()[0][0])


if __name__ == "__main__":
    sys.exit(main())
