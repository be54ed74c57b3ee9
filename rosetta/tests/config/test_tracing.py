"""What both services make spans with."""

from __future__ import annotations

import socket
import time

from rosetta import __version__
from rosetta.tracing import close_provider, open_provider


def test_a_collector_that_never_answers_delays_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        provider = open_provider("rosetta-test", f"http://127.0.0.1:{silent.getsockname()[1]}", disabled=False)
        assert provider is not None
        resource = provider.resource.attributes
        assert (resource["service.name"], resource["service.version"]) == ("rosetta-test", __version__)
        provider.get_tracer("test").start_span("one").end()
        began = time.monotonic()
        close_provider(provider, 0.1)
        assert time.monotonic() - began < 5


def test_there_is_none_without_an_endpoint_or_where_it_is_turned_off() -> None:
    assert open_provider("rosetta-test", None, disabled=False) is None
    assert open_provider("rosetta-test", "", disabled=False) is None
    assert open_provider("rosetta-test", "http://127.0.0.1:4318", disabled=True) is None
