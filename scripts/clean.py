"""`make clean`: back to a fresh clone. Refuses while the stack runs; needs nothing but Python."""

from __future__ import annotations

import fcntl
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MADE = (
    *(".rosetta", ".servers", ".reports", "logs", ".tool", ".venv", "dist", "build"),
    *("web/dist", "web/node_modules"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis"),
)


def stack_runs(home: Path) -> bool:
    """Every process of the stack holds this lock for as long as it lives."""
    lock = home / "lock"
    if not lock.exists():
        return False
    with lock.open("r") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def main() -> int:
    homes = (ROOT / ".rosetta", ROOT / ".servers")
    if any(map(stack_runs, homes)):
        print("The stack, or `make servers`, is running; stop it with Ctrl-C first.", file=sys.stderr)
        return 1
    for home in homes:
        clusters = home / "clusters"
        if clusters.is_symlink():
            shutil.rmtree(clusters.readlink(), ignore_errors=True)
    for name in MADE:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for cache in (*ROOT.rglob("__pycache__"), *ROOT.glob("*.egg-info")):
        shutil.rmtree(cache, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
