"""A rotated log file that several processes may write at once."""

from __future__ import annotations

import fcntl
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path


class SharedRotatingFile(RotatingFileHandler):
    """Rotates under a file lock, and follows a rotation that another process made.

    The standard handler renames the file under the feet of the other processes: they go on writing to the
    renamed one, and each of them rotates again. A file may exceed its bound by one record a process.
    """

    def __init__(self, path: Path, maximum_bytes: int, kept_files: int) -> None:
        super().__init__(
            path, maxBytes=maximum_bytes, backupCount=kept_files, encoding="utf-8", errors="backslashreplace"
        )
        self._lock_path = path.with_name(f".{path.name}.lock")

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: ARG002, N802
        self._follow()
        return self._is_full()

    def doRollover(self) -> None:  # noqa: N802 - the base class's name
        """Rotates once, although several processes find the file full at the same moment."""
        with self._lock_path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow()
            if self._is_full():
                super().doRollover()

    def _is_full(self) -> bool:
        # Of the open file: its name may be another's at this moment, or nobody's in the middle of a rotation.
        return self.stream is not None and os.fstat(self.stream.fileno()).st_size >= self.maxBytes

    def _follow(self) -> None:
        """Opens the file again when its name stands for another one, or for none."""
        if self.stream is None:
            self.stream = self._open()
            return
        opened = os.fstat(self.stream.fileno())
        try:
            named = Path(self.baseFilename).stat()
        except FileNotFoundError:
            named = None
        if named is None or (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
            self.stream.close()
            self.stream = self._open()
