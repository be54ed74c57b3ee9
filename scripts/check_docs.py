"""Holds the documents to the tree: relative links lead somewhere, and every `make` target they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
MAKE = re.compile(r"\bmake ([a-z0-9]+)\b")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def documents() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in filter(None, listing.split("\0")) if (ROOT / name).is_file()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def findings(document: Path, known: set[str]) -> Iterator[str]:
    text = document.read_text(encoding="utf-8")
    where = document.relative_to(ROOT)
    for link in LINK.findall(CODE.sub("", text)):
        if "://" not in link and not link.startswith("mailto:") and not (document.parent / link).exists():
            yield f"{where}: the link {link} leads nowhere"
    for code in CODE.findall(text):
        for target in MAKE.findall(code):
            if target not in known:
                yield f"{where}: there is no target `make {target}`"


def main() -> int:
    known = targets()
    problems = [problem for document in documents() for problem in findings(document, known)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
