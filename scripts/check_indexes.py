"""Fails when a file names a package index or registry other than the public ones.

A lock file made behind a company's mirror would send every newcomer there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = frozenset(
    {"pypi.org", "files.pythonhosted.org", "registry.npmjs.org", "repo1.maven.org", "repo.maven.apache.org"}
)
HOST = re.compile(r"https?://([A-Za-z0-9.:@_\[\]-]+)")
# Files that package managers write or read: every host in them is a place to download from.
LOCKS = frozenset({"uv.lock", "pnpm-lock.yaml", "package-lock.json", ".npmrc", "uv.toml", "pip.conf"})
# Elsewhere only a line that sets an index counts.
SETTING = re.compile(
    r"(index[-_]url|default[-_]index|UV_(EXTRA_)?INDEX|find[-_]links|--registry|npm_config_registry|trusted-host"
    r"|https?://[^\s\"'<>]+/simple\b)",
    re.IGNORECASE,
)


def named_hosts(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if path.name in LOCKS or SETTING.search(line):
            for host in HOST.findall(line):
                yield number, host


def main() -> int:
    command = ["git", "grep", "--untracked", "-Ilz", "-e", "https\\?://"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    problems = [
        f"{name}:{number}: names the package index {host}; only public ones may be named"
        for name in filter(None, listing.split("\0"))
        for number, host in named_hosts(ROOT / name)
        if host not in PUBLIC
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
