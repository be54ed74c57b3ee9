"""Traces of requests and of what they ask the config database; none unless `rosetta.tracing` is told to make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from fastapi.telemetry import TelemetryConfig
from sqlalchemy import Engine, event

from app.core.config import Settings
from rosetta import __version__
from rosetta.tracing import Traces, open_traces

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_SERVICE: Final = "rosetta-backend"
_LAST_SECONDS: Final = 5.0
_STATEMENT_CHARACTERS: Final = 2000


class Tracing:
    """What makes the spans of this process, and sends them in the background and in batches.

    No span holds a value: of a request the path and the status, of a statement its text with placeholders.
    """

    def __init__(self, traces: Traces) -> None:
        self._traces = traces
        self._tracer = self.provider.get_tracer(_SERVICE, __version__)

    @property
    def provider(self) -> TracerProvider:
        return self._traces.provider

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None when nobody asked for traces. Raises ConfigurationError when OpenTelemetry is not installed."""
        traces = open_traces(_SERVICE, settings.otel_exporter_otlp_endpoint, disabled=settings.otel_sdk_disabled)
        if traces is None:
            return None
        traces.provider.add_span_processor(_without_queries())
        return cls(traces)

    def follow(self, engine: Engine) -> None:
        """Each statement of `engine` becomes a span below the request that sends it."""
        from opentelemetry.trace import SpanKind, StatusCode

        @event.listens_for(engine, "before_cursor_execute")
        def begin(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:
            attributes = {"db.system.name": "postgresql", "db.query.text": statement[:_STATEMENT_CHARACTERS]}
            verb = statement.lstrip().partition(" ")[0].upper()
            context.rosetta_span = self._tracer.start_span(verb, kind=SpanKind.CLIENT, attributes=attributes)

        @event.listens_for(engine, "after_cursor_execute")
        def end(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:
            context.rosetta_span.end()

        @event.listens_for(engine, "handle_error")
        def fail(failure: Any) -> None:
            span = getattr(failure.execution_context, "rosetta_span", None)
            if span is not None:
                span.set_status(StatusCode.ERROR, type(failure.original_exception).__name__)
                span.end()

    def close(self) -> None:
        """Sends what is left, for as long as a server may take to stop."""
        self._traces.close(_LAST_SECONDS)


def telemetry_of(tracing: Tracing | None) -> TelemetryConfig:
    """What FastAPI, which makes the spans of requests, is to do. Its logs would hold texts of errors: never."""
    quiet: TelemetryConfig = {"metrics": False, "logs": False, "auto_configure": False}
    if tracing is None:
        return {**quiet, "tracing": False}
    return {**quiet, "tracing": True, "tracer_provider": tracing.provider}


def _without_queries() -> SpanProcessor:
    """Hides the query of a request's address, which may hold the key of a row."""
    from opentelemetry.sdk.trace import Span, SpanProcessor

    class WithoutQueries(SpanProcessor):
        def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
            if "url.query" in (span.attributes or {}):
                span.set_attribute("url.query", "REDACTED")

    return WithoutQueries()
