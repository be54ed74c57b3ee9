"""The supervisor: readiness, restarts, and no process left however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rosetta.backoff import Backoff
from rosetta.errors import OutageError
from rosetta.local import supervisor as supervisor_module
from rosetta.local.supervisor import Service, Supervisor
from rosetta.tests.local.processes import alive, family, marked
from rosetta.tests.waiting import eventually

SLEEPER = "import signal; signal.pause()"
STUBBORN_WITH_CHILD = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, '-c', 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()'])
open(sys.argv[1], 'w').close()
signal.pause()
"""
# Supervises in a process of its own, so that the process can be ended in every way.
SUPERVISING = """
import sys
from pathlib import Path
from rosetta.local.postgres import PostgresCluster
from rosetta.local.ports import free_port
from rosetta.local.supervisor import Service, StopRequested, Supervisor, request_stop, stop_signals
import signal, time

folder = Path(sys.argv[1])
supervisor = Supervisor(print)
try:
    with stop_signals(request_stop):
        cluster = PostgresCluster(folder / 'pg', free_port(), 'password')
        cluster.initialise()
        supervisor.launch(Service('postgres', cluster.command, cluster.answers, cluster.log_path,
                                  account=cluster.account, stop_signal=signal.SIGINT))
        sleeper = [sys.executable, '-c', 'import signal; signal.pause()']
        supervisor.launch(Service('sleeper', lambda: sleeper, lambda: True, folder / 'sleeper.log'))
        supervisor.wait(['postgres', 'sleeper'])
        print('ready', flush=True)
        while True:
            supervisor.watch()
            time.sleep(0.05)
except StopRequested:
    print('stopped', flush=True)
finally:
    supervisor.stop()
"""

Make = Callable[..., Service]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(said.append)
    yield made
    made.stop()


@pytest.fixture
def service(tmp_path: Path) -> Make:
    def make(
        code: str, *arguments: str, answers: Callable[[], bool] = lambda: True, stop_seconds: float = 10
    ) -> Service:
        command = [sys.executable, "-c", code, *arguments]
        return Service("worker", lambda: command, answers, tmp_path / "worker.log", stop_seconds=stop_seconds)

    return make


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("ROSETTA_TEST_MARK", str(tmp_path))
    return f"ROSETTA_TEST_MARK={tmp_path}"


def test_a_service_that_ends_while_it_is_waited_for_shows_its_last_words(supervisor: Supervisor, service: Make) -> None:
    supervisor.launch(service("raise SystemExit('the port is taken')", answers=lambda: False))
    with pytest.raises(OutageError, match="worker ended with 1\n    the port is taken"):
        supervisor.wait(["worker"])


def test_a_service_that_stays_silent_is_given_up(supervisor: Supervisor, service: Make) -> None:
    supervisor.launch(service(SLEEPER, answers=lambda: False))
    with pytest.raises(OutageError, match=r"worker did not answer within 0\.2 s"):
        supervisor.wait(["worker"], timeout_seconds=0.2)


def test_a_service_that_ended_is_started_again_later_and_later(
    supervisor: Supervisor, service: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "RESTARTS", Backoff(0.25, 1.0))
    supervisor.launch(service("raise SystemExit(7)"))

    def failed_four_times() -> bool:
        supervisor.watch()
        return len(said) == 4

    assert eventually(failed_four_times)
    assert said == [f"worker ended with 7; starting it again in {pause} s" for pause in ("0.25", "0.5", "1", "1")]


def test_a_killed_service_comes_back(supervisor: Supervisor, service: Make) -> None:
    supervisor.launch(service(SLEEPER))
    first = supervisor.pid("worker")
    assert first is not None
    os.kill(first, signal.SIGKILL)

    def is_back() -> bool:
        supervisor.watch()
        return supervisor.pid("worker") not in (None, first)

    assert eventually(is_back)


def test_a_stubborn_service_is_killed_with_its_children(
    supervisor: Supervisor, service: Make, mark: str, said: list[str], tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    supervisor.launch(service(STUBBORN_WITH_CHILD, str(ready), answers=ready.exists, stop_seconds=0.2))
    supervisor.wait(["worker"])
    assert eventually(lambda: len(marked(mark)) == 2)
    supervisor.stop()
    assert eventually(lambda: not marked(mark))
    assert said == ["worker did not stop within 0.2 s and was killed"]


@pytest.fixture
def supervising(cluster_folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SUPERVISING, str(cluster_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == "ready\n", line + process.stdout.read()
        processes = family(process.pid)
        assert len(processes) > 5
        yield process
        process.kill()
    assert eventually(lambda: not alive(processes))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_leaves_no_process(supervising: subprocess.Popen[str], number: signal.Signals) -> None:
    processes = family(supervising.pid)
    supervising.send_signal(number)
    output, _ = supervising.communicate(timeout=30)
    assert output == "stopped\n"
    assert supervising.returncode == 0
    assert not alive(processes)


def test_a_killed_supervisor_leaves_no_process(supervising: subprocess.Popen[str]) -> None:
    processes = family(supervising.pid)
    supervising.kill()
    supervising.wait(10)
    assert eventually(lambda: not alive(processes))
