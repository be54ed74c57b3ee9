"""Runs the code of the documents, as a newcomer would: in a fresh copy of this checkout, block after block.

Blocks in `sh` and `sql` are run, in the order in which they stand; others are not. After the language may stand:

    skip="reason"       not run, and why
    until="pattern"     started in the background; the next block begins when its output has that (a regular expression)
    on="config"         of SQL: the database (config, source, target); config when it is left out
    prints="pattern"    what the output must have
    within="seconds"    run again and again, by a shell of its own, until it succeeds

The servers of docker-compose.yml are there without Docker, as `make servers` has them. A document that
has `<!-- with services -->` in it finds the backend and compute running, too, on the config database of these servers.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rosetta.local.home import Home
from rosetta.local.process import spawn, stop
from rosetta.local.settings import inherited_environment
from scripts.check_docs import ROOT, documents
from scripts.servers import require_free, running_servers, url

FENCE: Final = re.compile(r"^( *)```(sh|sql)\b([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
OPTION: Final = re.compile(r'(\w+)="([^"]*)"')
OPTIONS: Final = frozenset({"skip", "until", "on", "prints", "within"})
DOCUMENT_SECONDS: Final = 400
# Read first: they start what others talk about, on the ports that the servers leave free.
FIRST: Final = ("README.md", "backend/GETTING_STARTED.md")
WITH_SERVICES: Final = "<!-- with services -->"
PRELUDE: Final = """
set -euo pipefail
started=()
current=
finish() {
  if [ -n "$current" ]; then cat "$current" >&3; fi
  for group in "${started[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
  for group in "${started[@]}"; do
    for _ in $(seq 300); do kill -0 -- "-$group" 2>/dev/null || break; sleep 0.1; done
    kill -KILL -- "-$group" 2>/dev/null || true
  done
}
trap finish EXIT
await() { # pattern, log, process
  for _ in $(seq 1200); do
    grep --quiet --extended-regexp -- "$1" "$2" && return 0
    kill -0 "$3" 2>/dev/null || { cat "$2"; echo "it ended before it printed: $1"; return 1; }
    sleep 0.1
  done
  cat "$2"; echo "in 120 s it did not print: $1"; return 1
}
persist() { # seconds, file
  local end=$((SECONDS + $1))
  until bash -euo pipefail "$2"; do
    [ "$SECONDS" -lt "$end" ] || { echo "not within $1 s"; return 1; }
    sleep 0.5
  done
}
expect() { # pattern, log
  grep --quiet --extended-regexp -- "$1" "$2" || { echo "it did not print: $1"; return 1; }
}
"""


@dataclass(frozen=True, slots=True)
class Block:
    """One fence; `line` is that of its first line of code."""

    line: int
    language: str
    options: Mapping[str, str]
    text: str


def blocks(document: Path) -> Iterator[Block]:
    """The fences of a document. Raises ValueError for an option that does not exist."""
    text = document.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        indent, language, rest, code = found.groups()
        options = dict(OPTION.findall(rest))
        line = text.count("\n", 0, found.start()) + 2
        if not options.keys() <= OPTIONS or OPTION.sub("", rest).strip():
            raise ValueError(f"{document.relative_to(ROOT)}:{line - 1}: unknown option in ```{language}{rest}")
        plain = "\n".join(part.removeprefix(indent) for part in code.splitlines()) + "\n"
        yield Block(line, language, options, plain)


def script(runnable: list[Block], folder: Path) -> str:
    """What bash runs for a document: one shell, so that variables and folders last from block to block."""
    parts = [PRELUDE]
    for block in runnable:
        file, log = folder / f"{block.line}.{block.language}", folder / f"{block.line}.log"
        file.write_text(block.text)
        parts += [f"echo '::{block.line}'\n", command_of(block, file, log)]
        if "prints" in block.options:
            parts.append(f"expect '{block.options['prints']}' '{log}'\n")
    return "".join(parts)


def command_of(block: Block, file: Path, log: Path) -> str:
    """What stands for a block in the script, and leaves its output in `log` where that is looked at."""
    if block.language == "sql":
        place = url(block.options.get("on", "config"))
        return f"psql --no-psqlrc --set ON_ERROR_STOP=1 '{place}' <'{file}' |& tee '{log}'\n"
    if "within" in block.options:
        return f"persist {int(block.options['within'])} '{file}' |& tee '{log}'\n"
    if "until" in block.options:
        start = f"setsid bash -euo pipefail '{file}' >'{log}' 2>&1 &\n"
        return f"{start}started+=($!)\nawait '{block.options['until']}' '{log}' $!\n"
    # In this shell, for the sake of its variables: no pipe, and no condition, in which a failure would not end it.
    return f"current='{log}'\nexec 3>&1 >'{log}' 2>&1\n{block.text}exec >&3 2>&1\ncat '{log}'\ncurrent=\n"


@contextmanager
def fresh_copy() -> Iterator[Path]:
    """This checkout as git would hand it on, with the dashboard that was built here, lest each run builds it again."""
    with tempfile.TemporaryDirectory(prefix="rosetta-docs-") as name:
        folder = Path(name) / "rosetta"
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
        for path in filter(None, names):
            if (ROOT / path).is_file():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, folder / path)
        subprocess.run(["git", "init", "--quiet", folder], check=True)
        built, stamp = ROOT / "web" / "dist", Path("web/node_modules/.bundle-of")
        if built.exists() and (ROOT / stamp).exists():
            shutil.copytree(built, folder / "web" / "dist")
            (folder / stamp).parent.mkdir()
            shutil.copy2(ROOT / stamp, folder / stamp)
        yield folder


@contextmanager
def services(copy: Path, environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Backend and compute of the copy, until the end. Raises ConfigurationError when others have their ports."""
    require_free({"backend": 8000, "compute": 8001})
    common = {
        **environment,
        "DATABASE_URL": "postgresql://rosetta:rosetta@localhost:5433/rosetta",
        "CONFIG_DATABASE_URL": "postgresql://rosetta:rosetta@localhost:5433/rosetta",
        "SECRET_KEY": "development-only-secret-key-replace-it",
        "APP_ENV": "development",
        "AUTH_ENABLED": "false",
        "LOG_FOLDER": str(folder / "logs"),
    }
    subprocess.run(["make", "sync"], cwd=copy, env=environment, check=True, capture_output=True)
    python = str(copy / ".venv" / "bin" / "python")
    with ExitStack() as running:
        for module, port in (("app.main", 8000), ("compute.main", 8001)):
            log = folder / f"{module}.log"
            process = spawn([python, "-m", module], log=log, death_signal=signal.SIGTERM, environment=common)
            running.callback(stop, process, signal.SIGTERM, 30)
            wait_for(port, log)
        yield


def wait_for(port: int, log: Path) -> None:
    """Raises RuntimeError, with its log, when a service does not get healthy within a minute."""
    import httpx

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"port {port} does not answer: {log.read_text()[-2000:]}")


def run(document: Path, copy: Path, environment: Mapping[str, str], folder: Path) -> tuple[int, int, str | None]:
    """How many blocks were run and skipped, and what went wrong."""
    found = list(blocks(document))
    runnable = [block for block in found if "skip" not in block.options]
    skipped = len(found) - len(runnable)
    if not runnable:
        return 0, skipped, None
    mine = folder / str(document.relative_to(ROOT)).replace("/", "-")
    mine.mkdir()
    (mine / "script.sh").write_text(script(runnable, mine))
    with (mine / "output").open("w+", errors="replace") as output:
        command: list[str | Path] = ["bash", mine / "script.sh"]
        try:
            code = subprocess.run(
                command, cwd=copy, env=environment, stdout=output, stderr=output, timeout=DOCUMENT_SECONDS, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
        output.seek(0)
        said = output.read()
    if code == 0:
        return len(runnable), skipped, None
    where = re.findall(r"^::(\d+)$", said, re.MULTILINE)
    line = where[-1] if where else "1"
    tail = said.rpartition(f"::{line}\n")[2][-3000:]
    return len(runnable), skipped, f"{document.relative_to(ROOT)}:{line}: ended with {code}\n{tail}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the code of the documents.")
    parser.add_argument("documents", nargs="*", help="some of them, relative to the checkout; all when left out")
    asked = parser.parse_args().documents
    chosen = [path for path in documents() if not asked or str(path.relative_to(ROOT)) in asked]
    chosen.sort(key=lambda path: (str(path.relative_to(ROOT)) not in FIRST, WITH_SERVICES in path.read_text(), path))
    failures = 0
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="rosetta-docs-servers-")))
        folder.chmod(0o755)
        copy = running.enter_context(fresh_copy())
        tools = running.enter_context(running_servers(Home(folder / "servers"), print))
        unwanted = {"VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON"}
        environment = {name: value for name, value in inherited_environment().items() if name not in unwanted}
        environment["PATH"] = f"{ROOT / '.tool' / 'bin'}:{tools}:{environment['PATH']}"
        serving = False
        for document in chosen:
            if WITH_SERVICES in document.read_text() and not serving:
                running.enter_context(services(copy, environment, folder))
                serving = True
            began = time.monotonic()
            count, skipped, problem = run(document, copy, environment, folder)
            if count or skipped:
                seconds = time.monotonic() - began
                print(f"{document.relative_to(ROOT)}: {count} blocks run, {skipped} not, {seconds:.0f} s", flush=True)
            if problem is not None:
                failures += 1
                print(problem, file=sys.stderr, flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
