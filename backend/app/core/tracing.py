"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says so; otherwise nothing of it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from fastapi.telemetry import TelemetryConfig
from sqlalchemy import Engine, event

from app.core.config import Settings
from rosetta import __version__
from rosetta.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_SERVICE: Final = "rosetta-backend"
_TRACES_PATH: Final = "/v1/traces"
_STATEMENT_CHARACTERS: Final = 2000


class Tracing:
    """What makes the spans of this process, and sends them in the background and in batches.

    No span holds a value: of a request the path and the status, of a statement its text with placeholders.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer(_SERVICE, __version__)

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """None when nobody asked for traces. Raises ConfigurationError when OpenTelemetry is not installed."""
        endpoint = settings.otel_exporter_otlp_endpoint
        if not endpoint or settings.otel_sdk_disabled:
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise ConfigurationError(
                "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and OpenTelemetry is not installed",
                remedy='Install it (pip install "rosetta-backend[otel]"), or leave the variable out.',
            ) from None
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before these.
        own = Resource({"service.name": _SERVICE, "service.version": __version__})
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(_without_queries())
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _TRACES_PATH)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        return cls(provider)

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
        """Sends what is left; takes as long as the exporter's time limit at most."""
        self.provider.shutdown()


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
