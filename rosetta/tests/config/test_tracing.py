"""What both services make spans with."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from rosetta import __version__
from rosetta.tests.waiting import eventually
from rosetta.tracing import THREADS, Traces, open_traces


def traces_to(port: int) -> Traces:
    traces = open_traces("rosetta-test", f"http://127.0.0.1:{port}", disabled=False)
    assert traces is not None
    traces.provider.get_tracer("test").start_span("one").end()
    return traces


def threads() -> frozenset[str]:
    return THREADS.intersection(thread.name for thread in threading.enumerate())


def test_a_collector_that_never_answers_delays_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        traces = traces_to(silent.getsockname()[1])
        resource = traces.provider.resource.attributes
        assert (resource["service.name"], resource["service.version"]) == ("rosetta-test", __version__)
        began = time.monotonic()
        traces.close(0.1)
        assert time.monotonic() - began < 5


def test_a_collector_that_is_away_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # By itself the exporter would try six times, for half a minute.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "300")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        traces = traces_to(deaf.getsockname()[1])
        assert threads()
        traces.close(0.1)
        eventually(lambda: not threads(), 15)


def test_there_is_none_without_an_endpoint_or_where_it_is_turned_off() -> None:
    assert open_traces("rosetta-test", None, disabled=False) is None
    assert open_traces("rosetta-test", "", disabled=False) is None
    assert open_traces("rosetta-test", "http://127.0.0.1:4318", disabled=True) is None
