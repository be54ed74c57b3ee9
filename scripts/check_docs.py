"""Holds the documents to the tree: links lead somewhere; targets, commands and routes that they name exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
MAKE = re.compile(r"\bmake ([a-z0-9]+)\b")
COMMAND = re.compile(r"(?<!namespace )\brosetta ((?:dlq |token )?[a-z][a-z-]+)\b(?! *=)")
ROUTE = re.compile(r"\b(GET|POST|PUT|DELETE) (/[\w/{}.-]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def documents() -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in filter(None, listing.split("\0")) if (ROOT / name).is_file()]


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def commands() -> frozenset[str]:
    """What may stand behind `rosetta`, groups with each of their commands."""
    import typer

    from rosetta.cli.commands import app

    found = {*typer.main.get_command(app).commands}  # type: ignore[attr-defined]
    for group in app.registered_groups:
        if group.typer_instance is not None:
            own = typer.main.get_command(group.typer_instance).commands  # type: ignore[attr-defined]
            found |= {f"{group.name} {name}" for name in own}
    return frozenset(found)


@cache
def routes() -> frozenset[tuple[str, str]]:
    """Methods and paths of the API, without the names of their parameters."""
    paths = json.loads((ROOT / "web" / "openapi.json").read_text(encoding="utf-8"))["paths"]
    return frozenset((method.upper(), nameless(path)) for path, methods in paths.items() for method in methods)


def nameless(path: str) -> str:
    return re.sub(r"\{\w+\}|(?<=/)\d+(?=/|$)", "{}", path.removeprefix("/api/v1")).rstrip("/.")


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
        for command in COMMAND.findall(code):
            if command not in commands():
                yield f"{where}: there is no command `rosetta {command}`"
        for method, path in ROUTE.findall(code):
            if (method, nameless(path)) not in routes():
                yield f"{where}: there is no route `{method} {path}`"


def main() -> int:
    known = targets()
    problems = [problem for document in documents() for problem in findings(document, known)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
