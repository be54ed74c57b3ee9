"""Why a pipeline's process ended: its exit codes, and what the supervisor does about each.

STOPPED          we asked it to; not an error
OUT_OF_MEMORY    the JVM's heap was full; the next start gets a larger one
INTERNAL         an exception nobody expected (a bug), or a crash of the JVM
OUTAGE           source or engine failed; trying again can help
RESYNC_REQUIRED  the stream cannot be continued without a gap; a person decides
FENCED           another instance owns the pipeline now
CONFIGURATION    a person must change something
ORPHANED         the supervisor is gone
STUCK            silent for too long, ended by the supervisor (never a real exit code)
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import IntEnum

from rosetta.backoff import Backoff
from rosetta.enums import HealthStatus, ObservedStatus
from rosetta.errors import ConfigurationError, FencedError, OutageError, ResyncRequiredError, RosettaError


class ExitCode(IntEnum):
    STOPPED = 0
    OUT_OF_MEMORY = 3  # what the JVM's ExitOnOutOfMemoryError exits with
    INTERNAL = 70
    OUTAGE = 75
    RESYNC_REQUIRED = 76
    FENCED = 77
    CONFIGURATION = 78
    ORPHANED = 79
    STUCK = 80


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, in words that hold no secret and no row value."""

    code: str
    message: str
    remedy: str | None = None

    @classmethod
    def of(cls, error: RosettaError) -> Failure:
        return cls(error.code, error.message, error.remedy)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a kind of ending is shown, and how long to wait before the next start."""

    status: ObservedStatus
    backoff: Backoff
    health: HealthStatus = HealthStatus.ERROR


_CRASH = Policy(ObservedStatus.RESTARTING, Backoff(1.0, 60.0))
_KILLED = Policy(ObservedStatus.RESTARTING, Backoff(0.25, 0.5))
# It was not its own fault, but if it is killed each time before it streams, something is short of memory.
_KILLED_EARLY = Policy(ObservedStatus.RESTARTING, Backoff(0.5, 4.0))
_POLICIES: dict[int, Policy] = {
    # Short and capped low: the source is back without telling us, and recovery is promised within seconds.
    ExitCode.OUTAGE: Policy(ObservedStatus.RETRYING, Backoff(0.5, 2.0)),
    ExitCode.RESYNC_REQUIRED: Policy(ObservedStatus.RESYNC_REQUIRED, Backoff(10.0, 60.0)),
    ExitCode.CONFIGURATION: Policy(ObservedStatus.FAILED, Backoff(5.0, 30.0)),
    ExitCode.FENCED: Policy(ObservedStatus.RESTARTING, Backoff(1.0, 15.0), health=HealthStatus.UNKNOWN),
}


def policy_of(code: int, *, streamed: bool) -> Policy:
    """The policy for a process exit code; a negative one is a signal. Whatever is not in the vocabulary is a crash.

    A process that streamed and was then killed from outside did nothing wrong: it is back within seconds each time.
    """
    if code < 0 and streamed:
        return _KILLED
    if code == -signal.SIGKILL:
        return _KILLED_EARLY
    return _POLICIES.get(code, _CRASH)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code with which a process ends that cannot handle `error`."""
    kinds: tuple[tuple[type[RosettaError], ExitCode], ...] = (
        (FencedError, ExitCode.FENCED),
        (ResyncRequiredError, ExitCode.RESYNC_REQUIRED),
        (ConfigurationError, ExitCode.CONFIGURATION),
        (OutageError, ExitCode.OUTAGE),
        (RosettaError, ExitCode.CONFIGURATION),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), ExitCode.INTERNAL)


def describe(code: int) -> Failure:
    """Words for an ending that left none behind."""
    if code < 0:
        return Failure("PROCESS_KILLED", f"the pipeline process was ended by {signal.Signals(-code).name}")
    if code == ExitCode.STUCK:
        return Failure("PROCESS_STUCK", "the pipeline process gave no sign of life and was ended")
    if code == ExitCode.OUT_OF_MEMORY:
        return Failure("OUT_OF_MEMORY", "the engine's heap was full; it is started again with a larger one")
    known = {item.value: item.name for item in ExitCode}
    return Failure("PROCESS_ENDED", f"the pipeline process ended with code {code} ({known.get(code, 'unknown')})")
