"""Scripted pipeline processes: the real process handling, with a script instead of a pipeline."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection

from compute.core.catalog import Catalog
from compute.core.child import bind_to_parent
from compute.core.exit_codes import ExitCode, Failure
from compute.core.process import ChildPhase, ChildSpec, Command
from rosetta.errors import FencedError


def renewing(spec: ChildSpec, pipe: Connection) -> None:
    """`by_name`, and keeps the pipeline's lease as a real one does; ends when it has another owner."""
    catalog = Catalog(spec.settings, spec.instance_id, application="rosetta test child", connections=1)

    def renew() -> None:
        while True:
            try:
                catalog.leases.renew(spec.pipeline_id, spec.epoch)
            except FencedError:
                os._exit(ExitCode.FENCED)
            threading.Event().wait(spec.settings.lease_seconds / 3)

    if not spec.name.startswith("bad"):
        threading.Thread(target=renew, daemon=True).start()
    by_name(spec, pipe)


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
