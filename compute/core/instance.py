"""Who this compute instance is, and whether another of the same machine still lives."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path


def place() -> str:
    """Where this process's pid means something: host, boot of its kernel and pid namespace (the host elsewhere)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot}/{namespace}"


def new_instance_id() -> str:
    """`place:pid:random`, never used twice."""
    return f"{place()}:{os.getpid()}:{secrets.token_hex(4)}"


def has_died(instance_id: str) -> bool:
    """Whether an instance of this place is certainly gone; False for one that cannot be judged from here.

    Its pipeline processes are gone too, since they die with it. A pid that was given to another process counts
    as alive: the lease then ends by its time.
    """
    where, _, rest = instance_id.partition(":")
    pid = rest.partition(":")[0]
    if where != place() or not pid.isdigit():
        return False
    return int(pid) == os.getpid() or not _exists(int(pid))


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
