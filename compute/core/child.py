"""The first and last code of a pipeline's process: tied to its parent, and ended with a code of the vocabulary.

Everything heavy is imported late: a child pays only for the engine and the drivers its plan needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

from compute.core.exit_codes import ExitCode, Failure, exit_code_of
from compute.core.process import ChildSpec
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_PR_SET_PDEATHSIG = 1


def run_child(spec: ChildSpec, pipe: Connection) -> None:
    """Runs the pipeline of `spec` until it is told to stop or fails. Never returns: the process ends here.

    `os._exit` is the only way out: the JVM's threads would keep an interpreter alive that has nothing left to do.
    """
    try:
        bind_to_parent()
        _end_on_thread_failure(pipe)
        code = _run(spec, pipe)
    except RosettaError as error:
        code = exit_code_of(error)
        _leave_word(pipe, _last_word(error, spec))
    except BaseException as error:  # noqa: BLE001 - the end of the process: whatever it was becomes its exit code
        code = ExitCode.INTERNAL
        _report_unexpected(pipe, error)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _run(spec: ChildSpec, pipe: Connection) -> ExitCode:
    from rosetta import logs, plants

    settings = spec.settings
    logs.configure(
        "compute", settings.effective_log_level, settings.log_folder, about={"pipeline_id": spec.pipeline_id}
    )
    from compute.core import failpoints
    from compute.core.assembly import assemble

    failpoints.arm(settings.rosetta_failpoint)
    plants.arm(settings.rosetta_plant, settings.app_env)
    pipeline = assemble(spec, pipe)
    pipeline.run()
    return ExitCode.STOPPED


def bind_to_parent() -> None:
    """Makes this process end with its parent, however that ends, and no signal of its terminal reach it."""
    with contextlib.suppress(PermissionError):  # it leads a session already
        os.setsid()
    parent = parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        # Covers a parent that died before prctl, and systems without it.
        wait([parent.sentinel])
        os._exit(ExitCode.ORPHANED)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _end_on_thread_failure(pipe: Connection) -> None:
    def end(problem: threading.ExceptHookArgs) -> None:
        error = problem.exc_value
        if isinstance(error, RosettaError):
            _leave_word(pipe, Failure.of(error))
            os._exit(exit_code_of(error))
        _report_unexpected(pipe, error)
        os._exit(ExitCode.INTERNAL)

    threading.excepthook = end


def _report_unexpected(pipe: Connection, error: BaseException | None) -> None:
    kind = type(error).__name__
    # The text of an unexpected error may quote a row; its kind and the lines it passed do not.
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    trace = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    get_logger("compute.child").error("pipeline_process_failed", error_class=kind, trace=trace)
    where = f" in {frames[-1].name}" if frames else ""
    _leave_word(pipe, Failure("INTERNAL", f"unexpected {kind}{where}", "See the log; this is a bug worth reporting."))


def _last_word(error: RosettaError, spec: ChildSpec) -> Failure:
    """What a person is told; an engine knows its slot, but not the pipeline that the statement must name."""
    failure = Failure.of(error)
    if error.code in {"SLOT_MISSING", "SLOT_LOST", "SLOT_AHEAD"}:
        from compute.core.slot_state import begin_again

        return replace(failure, remedy=begin_again(spec.pipeline_id))
    return failure


def _leave_word(pipe: Connection, failure: Failure) -> None:
    with contextlib.suppress(OSError, ValueError):
        pipe.send(failure)
