"""Traces: spans of requests and statements where they are asked for, and nothing of it loaded where not."""

from __future__ import annotations

import sys

import pytest
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.core.tracing import Tracing
from app.main import create_app
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.clients import API, Tokens, client_of
from tests.inbox import Inbox, open_inbox

from rosetta.enums import Role
from rosetta.errors import ConfigurationError

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CANARY = "canary-trace-51ab"


def spans_of(collector: Inbox) -> list[Span]:
    requests = [ExportTraceServiceRequest.FromString(body) for path, body, _ in collector.heard if path == "/v1/traces"]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


async def _ask_traced(settings: Settings, tokens: Tokens, collector: Inbox) -> None:
    traced = settings.model_copy(update={"otel_exporter_otlp_endpoint": f"{collector.url}/"})
    database = DatabaseManager()
    app = create_app(traced, database)
    tracing: Tracing = app.state.tracing
    database.open(traced, tracing.follow)
    try:
        async with client_of(app, tokens[Role.VIEWER]) as client:
            path = f"{API}/pipelines/4711"
            answer = await client.get(path, params={"q": CANARY}, headers={"traceparent": PARENT})
            assert answer.status_code == 404
            await client.get(f"{API}/sources", params={"name": CANARY})
    finally:
        await database.close()
        tracing.close()


async def test_a_request_and_its_statements_are_one_trace_without_values(settings: Settings, tokens: Tokens) -> None:
    with open_inbox() as collector:
        await _ask_traced(settings, tokens, collector)
    spans = spans_of(collector)
    request = next(span for span in spans if span.name == f"GET {API}/pipelines/{{pipeline_id}}")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == tuple(PARENT.split("-")[1:3])
    numbers = {a.key: a.value.int_value for a in request.attributes}
    assert numbers["http.response.status_code"] == 404
    of_trace = [span for span in spans if span.trace_id == request.trace_id]
    assert any("FROM pipelines" in a.value.string_value for span in of_trace for a in span.attributes)
    assert {span.parent_span_id for span in of_trace} <= {span.span_id for span in of_trace} | {request.parent_span_id}
    everything = b"".join(body for _, body, _ in collector.heard)
    for secret in (CANARY, tokens[Role.VIEWER]):
        assert secret.encode() not in everything


def test_it_can_be_turned_off_whatever_else_is_set(settings: Settings) -> None:
    off = settings.model_copy(update={"otel_exporter_otlp_endpoint": "http://x", "otel_sdk_disabled": True})
    assert Tracing.of(off) is None


def test_without_the_packages_the_start_says_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(ConfigurationError) as raised:
        Tracing.of(settings.model_copy(update={"otel_exporter_otlp_endpoint": "http://127.0.0.1:4318"}))
    assert "opentelemetry-exporter-otlp-proto-http" in (raised.value.remedy or "")
