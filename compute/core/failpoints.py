"""Named points where a test can make a process fail: `ROSETTA_FAILPOINT=name:action[:argument[:file]],...`.

Actions: `kill` (SIGKILL to this process), `raise` (an OutageError), `sleep` (argument: seconds). An
argument `@n` lets the first n-1 passages of `kill` and `raise` go by. With a `file` the point acts once, in
whichever process makes that file: without it every new process meets the point again. Without the setting a
point costs one look into an empty dict.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from rosetta.errors import ConfigurationError, OutageError

NAMES = frozenset(
    {
        "after_read",  # a batch was taken from the engine
        "before_put",  # a file of rows is written, not sent to its stage yet
        "after_put",  # a file of rows is on its stage, no transaction is open yet
        "after_load",  # a file, or what landed, is in its staging table, nothing of it is merged
        "before_commit",  # the target transaction is complete but not committed
        "before_clean",  # a load has committed, its files are still on their stage
        "after_commit",  # the target has committed, nothing was acknowledged yet
        "before_ledger_commit",  # what is to be parked is in the ledger's transaction, not committed
        "after_ledger_commit",  # the ledger has committed, nothing was announced or acknowledged yet
        "before_mark",  # a parked change is in the target, the ledger does not say so yet
        "before_forget",  # the ledger says recovered, its stream entry is still there (before XACK)
        "before_flush",  # every destination is durable, the slot does not know it yet
        "after_chunk_read",  # a copy's chunk was read, its watermark is not written yet
        "after_watermark",  # a chunk's watermark came down the stream
        "before_cursor",  # a chunk is merged, the job's cursor is not saved yet
    }
)
ACTIONS = frozenset({"kill", "raise", "sleep"})


@dataclass
class _Armed:
    action: str
    seconds: float = 0.0
    passages_left: int = 1
    marker: Path | None = None

    def is_first(self) -> bool:
        """Whether no process acted here before; from now on none may."""
        if self.marker is None:
            return True
        try:
            self.marker.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


_armed: dict[str, _Armed] = {}


def arm(setting: str) -> None:
    """Arms the points that `setting` names, and only those. Raises ConfigurationError for an unknown name or action."""
    _armed.clear()
    for part in filter(None, (piece.strip() for piece in setting.split(","))):
        name, _, rest = part.partition(":")
        action, _, rest = rest.partition(":")
        argument, _, marker = rest.partition(":")
        if name not in NAMES or action not in ACTIONS:
            raise ConfigurationError(f"ROSETTA_FAILPOINT does not know {part!r}")
        point = _Armed(action, marker=Path(marker) if marker else None)
        if action == "sleep":
            point.seconds = float(argument or 1)
        else:
            point.passages_left = int(argument.lstrip("@") or 1)
        _armed[name] = point


def hit(name: str) -> None:
    """Passes the point `name`. Raises OutageError where it is armed with `raise`."""
    point = _armed.get(name)
    if point is None:
        return
    point.passages_left -= 1
    if point.passages_left > 0 or not point.is_first():
        return
    if point.action == "sleep":
        time.sleep(point.seconds)
        return
    if point.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise OutageError(f"failpoint {name}", code="FAILPOINT")
