"""The checks themselves: each finds what it is there for, and CI counts a skip as a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
Check = Callable[[str, dict[str, str]], subprocess.CompletedProcess[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Runs a script of ours over a small repository with the given files."""

    def run(script: str, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        command = [sys.executable, str(tmp_path / "scripts" / script)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


LONG_FUNCTION = "def f() -> None:\n" + "    print()\n" * 60
MANY_METHODS = "class A:\n" + "".join(f"    def m{n}(self) -> None: ...\n" for n in range(16))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * 401, "a.py: 401 lines, at most 400"),
        (LONG_FUNCTION, "a.py:1: f has 61 lines, at most 60"),
        (MANY_METHODS, "a.py:1: A has 16 methods, at most 15"),
    ],
)
def test_what_has_outgrown_its_limit_is_named(check: Check, text: str, expected: str) -> None:
    answer = check("check_sizes.py", {"a.py": text})
    assert (answer.returncode, answer.stderr.strip()) == (1, expected)


def test_what_is_within_the_limits_passes(check: Check) -> None:
    text = "x = 1\n" * 300 + "def f() -> None:\n" + "    print()\n" * 59
    assert check("check_sizes.py", {"a.py": text}).returncode == 0


MIRROR = "https://mirror." + "example/simple"  # in two parts, or the check would find it here


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("uv.lock", f'url = "{MIRROR}/a.whl"'),
        ("Makefile", f"\tpip install --index-url {MIRROR} uv"),
        ("pyproject.toml", f'[[tool.uv.index]]\ndefault-index = "{MIRROR}"'),
    ],
)
def test_a_private_index_is_found(check: Check, name: str, line: str) -> None:
    answer = check("check_indexes.py", {name: line + "\n"})
    assert answer.returncode == 1
    assert f"{name}:" in answer.stderr
    assert "names the package index mirror." in answer.stderr


def test_public_indexes_and_ordinary_links_pass(check: Check) -> None:
    files = {
        "uv.lock": 'registry = "https://pypi.org/simple"\n',
        "README.md": "See https://www.postgresql.org/docs/.\n",
    }
    assert check("check_indexes.py", files).returncode == 0


def test_a_document_that_names_a_command_or_a_route_that_is_not_there_is_found(check: Check, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    files = {
        "Makefile": "up:\n\techo\n",
        "web/openapi.json": '{"paths": {"/api/v1/sources/{source_id}": {"get": {}}}}',
        "README.md": "`rosetta up`, `rosetta down`, `rosetta dlq lose`, `GET /sources/{id}`, `POST /sources/1`\n",
    }
    answer = check("check_docs.py", files)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "README.md: there is no command `rosetta down`",
        "README.md: there is no command `rosetta dlq lose`",
        "README.md: there is no route `POST /sources/1`",
    ]


def test_a_document_that_promises_what_is_not_there_is_found(check: Check) -> None:
    files = {
        "Makefile": "up:\n\techo\n",
        "README.md": "[here](nowhere.md) and [there](Makefile): `make up`, `make down`\n",
    }
    answer = check("check_docs.py", files)
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "README.md: the link nowhere.md leads nowhere",
        "README.md: there is no target `make down`",
    ]


SKIPPING = "import pytest\n\ndef test_one() -> None:\n    pytest.skip('nothing here')\n"
SKIPPED_MODULE = "import pytest\n\npytest.skip('nothing here', allow_module_level=True)\n"
FAILING_AS_EXPECTED = "import pytest\n\n@pytest.mark.xfail(strict=True)\ndef test_one() -> None:\n    assert False\n"


@pytest.mark.parametrize(
    ("text", "ci", "fails"),
    [
        (SKIPPING, "false", False),
        (SKIPPING, "true", True),
        (SKIPPED_MODULE, "true", True),
        (FAILING_AS_EXPECTED, "true", False),
    ],
)
def test_in_ci_a_skip_is_a_failure(tmp_path: Path, text: str, ci: str, fails: bool) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {**os.environ, "CI": ci}
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode not in (0, 5)) is fails


def _own_make() -> dict[str, str]:
    """An environment in which make does not take itself for part of the `make test` that runs us."""
    return {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}


def test_make_help_lists_every_target() -> None:
    answer = subprocess.run(["make", "help"], cwd=ROOT, env=_own_make(), capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in answer.stdout.splitlines()}
    daily, other = (
        {"help", "up", "servers", "test", "lint", "types"},
        {"bundle", "wheel", "bench", "chaos", "e2e", "docs", "clean"},
    )
    assert listed == daily | other
