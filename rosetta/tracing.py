"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says so; otherwise nothing of it is loaded."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from rosetta import __version__
from rosetta.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

_LAST: Final = "last spans"
# What runs while there are traces: the SDK's sender, and whoever waits for it at the end.
THREADS: Final = frozenset({"OtelBatchSpanRecordProcessor", _LAST})
_TRACES_PATH: Final = "/v1/traces"
_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def traces_wanted(endpoint: str | None, *, disabled: bool) -> bool:
    """Whether this process is to make traces; the arguments are those of `open_traces`.

    Raises ConfigurationError when OpenTelemetry is not installed.
    """
    if not endpoint or disabled:
        return False
    if not all(map(_is_installed, _NEEDED)):
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and OpenTelemetry is not installed",
            remedy="Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http (Rosetta's extra `otel`),"
            " or leave the variable out.",
        )
    return True


@dataclass(frozen=True, slots=True)
class Traces:
    """What makes the spans of this process, and the `exporter` that sends them in the background and in batches."""

    provider: TracerProvider
    exporter: SpanExporter

    def close(self, patience_seconds: float) -> None:
        """Sends what is left, for `patience_seconds` at most: a collector that is away delays nobody's end.

        Then it is broken off: nothing is sent again, and a request that is under way is the last one.
        """
        last = threading.Thread(target=self.provider.shutdown, name=_LAST, daemon=True)
        last.start()
        last.join(patience_seconds)
        if last.is_alive():
            self.exporter.shutdown()


def open_traces(service: str, endpoint: str | None, *, disabled: bool) -> Traces | None:
    """None where nobody asked for traces.

    Args:
        service: what the spans are of, unless OTEL_SERVICE_NAME says otherwise. The SDK reads its other variables
            (sampler, headers, limits) by itself.
        endpoint: of a collector that takes OTLP over HTTP; empty or None for no traces.
        disabled: no traces whatever the endpoint says.

    Raises ConfigurationError when OpenTelemetry is not installed.
    """
    if endpoint is None or not traces_wanted(endpoint, disabled=disabled):
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before these.
    own = Resource({"service.name": service, "service.version": __version__})
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _TRACES_PATH)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider, exporter)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
