"""Traces of a pipeline: each batch and each destination's write of it, told in numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from compute.core.fan_out import FanOut
from compute.core.spans import NoSpans, PipelineSpans, spans_of
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.lanes import Scene, batch
from compute.tests.support.waiting import eventually
from rosetta.errors import ConfigurationError, OutageError
from rosetta.tracing import Traces

CANARY = "canary-value-31fe"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def scene(exporter: InMemorySpanExporter) -> Iterator[Scene]:
    """A fan-out that is traced."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = Scene()
    made.fan_out = FanOut(made.engine, made.take_chunks, lambda: None, PipelineSpans(Traces(provider, exporter), 7))
    yield made
    made.fan_out.stop(0.0)
    made.fan_out.spans.close()


def numbers(span: ReadableSpan) -> dict[str, int]:
    found = dict(span.attributes or {})
    lag = found.pop("rosetta.lag_seconds", 0.0)
    assert isinstance(lag, float)
    assert lag >= 0.0
    assert all(isinstance(value, int) for value in found.values()), found
    return {name.removeprefix("rosetta."): int(str(value)) for name, value in found.items()}


def test_a_batch_and_what_each_destination_did_with_it_are_one_trace(
    scene: Scene, exporter: InMemorySpanExporter
) -> None:
    failures = [OutageError(f"it said {CANARY}", code="TARGET_AWAY")]

    def fault(step: str) -> None:
        if step == "write" and failures:
            raise failures.pop()

    scene.add(1, MemoryDestination(MemoryStore()))
    scene.add(2, MemoryDestination(MemoryStore(), fault))
    scene.fan_out.route(batch(1, 1, 2, value=CANARY))
    scene.fan_out.route(batch(2))  # a position alone
    scene.fan_out.route(batch(3, 3, value=CANARY))
    eventually(lambda: scene.engine.acknowledged[-1:] == [3])
    spans = exporter.get_finished_spans()
    batches = {numbers(span)["batch.sequence"]: span for span in spans if span.name == "batch"}
    assert sorted(batches) == [1, 3]
    assert numbers(batches[1]) == {
        "pipeline.id": 7,
        "batch.sequence": 1,
        "rows": 2,
        "bytes": batch(1, 1, 2, value=CANARY).byte_count,
        "tables": 1,
    }
    writes = [span for span in spans if span.name == "write"]
    assert sorted((numbers(span)["batch.sequence"], numbers(span)["destination.id"]) for span in writes) == [
        (1, 1),
        (1, 2),
        (1, 2),
        (3, 1),
        (3, 2),
    ]
    for span in writes:
        above = batches[numbers(span)["batch.sequence"]]
        assert span.parent is not None
        assert (span.context.trace_id, span.parent.span_id) == (above.context.trace_id, above.context.span_id)
        assert (numbers(span)["rows"], numbers(span)["parked"]) == (numbers(above)["rows"], 0)
    assert [span.status.description for span in writes if span.status.status_code is StatusCode.ERROR] == [
        "TARGET_AWAY"
    ]
    # Of values, and of what an error says, there is nothing.
    assert CANARY not in "".join(span.to_json() for span in spans)


def test_where_nobody_asked_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(spans_of(7, None, disabled=False), NoSpans)
    assert isinstance(spans_of(7, "http://127.0.0.1:4318", disabled=True), NoSpans)
    for missing in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        monkeypatch.setitem(sys.modules, missing, None)
        with pytest.raises(ConfigurationError) as raised:
            spans_of(7, "http://127.0.0.1:4318", disabled=False)
        assert "otel" in (raised.value.remedy or "")
