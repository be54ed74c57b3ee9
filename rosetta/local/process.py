"""Child processes that cannot outlive the one who started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rosetta.local.account import Account

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 20_000_000
CURRENT_ACCOUNT = Account(None, None)
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Loaded before any fork: a child between fork and exec must not import.
_prctl: Callable[[int, int], int] | None = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    environment: Mapping[str, str] | None = None,
    account: Account = CURRENT_ACCOUNT,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, so that Ctrl-C reaches only the parent, which then stops it in order.

    On Linux the kernel sends `death_signal` when the parent's calling thread ends for whatever reason, so call this
    from a thread that lives as long as the child shall. `keep` are file descriptors for the child to hold open.
    Standard output and error are appended to `log`.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _prctl is not None:
            _prctl(PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:
                os._exit(1)
        for number in STOP_SIGNALS:  # ignored ones would stay ignored in the child
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    _rotate(log)
    # A signal between fork and the return of the handle would lose the child: it waits until the handle is ours.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                cwd="/",
                start_new_session=True,
                pass_fds=keep,
                preexec_fn=prepare,  # noqa: PLW1509 - only system calls, nothing that takes a lock
                user=account.user,
                group=account.group,
                extra_groups=None if account.user is None else [],
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop(process: subprocess.Popen[bytes], polite: signal.Signals, timeout_seconds: float) -> bool:
    """Ends a spawned process and what is left of its group; False when it had to be forced."""
    willing = True
    if process.poll() is None:
        process.send_signal(polite)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            willing = False
            process.kill()
            process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return willing


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
