"""Processes that a child of ours left behind: they become ours, so that none of them stays as a zombie."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable

PR_SET_CHILD_SUBREAPER = 36


class Orphanage:
    """Makes this process the parent of every descendant whose own parent ended; used by one thread.

    Needed where nobody collects orphans, as in a container without an init. Does nothing on other systems than Linux.
    `known` names the children that somebody else in this process waits for.
    """

    def __init__(self, known: Callable[[], Iterable[int]]) -> None:
        self._known = known
        self._works = sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0

    def collect(self) -> bool:
        """Collects those that ended; False when no child of any kind is left."""
        while self._works:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return False
            if ended is None or ended.si_pid in set(self._known()):
                return True
            os.waitpid(ended.si_pid, 0)
        return False

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Waits for the last of them; False when one is still there in the end."""
        deadline = time.monotonic() + timeout_seconds
        while self.collect():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True
