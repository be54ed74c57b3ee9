"""Scripted pipeline processes: the real process handling, with a script instead of a pipeline."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection

from compute.core.child import bind_to_parent
from compute.core.exit_codes import ExitCode, Failure
from compute.core.process import ChildPhase, ChildSpec, Command


def by_name(spec: ChildSpec, pipe: Connection) -> None:
    """Does what the pipeline's name says: `bad...` crashes at once, `mute...` is silent, `deaf...` never stops."""
    bind_to_parent()
    if spec.name.startswith("bad"):
        pipe.send(Failure("SCRIPTED", "crashes on purpose", "rename it"))
        os._exit(ExitCode.INTERNAL)
    if spec.name.startswith("quitter"):
        os._exit(ExitCode.STOPPED)
    if spec.name.startswith("mute"):
        pipe.send(ChildPhase.STREAMING)
        threading.Event().wait()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pipe.send(ChildPhase.STREAMING)
        if pipe.poll(0.2) and pipe.recv() is Command.STOP and not spec.name.startswith("deaf"):
            os._exit(ExitCode.STOPPED)
