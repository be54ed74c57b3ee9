"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT says so; otherwise nothing of it is loaded."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from rosetta import __version__
from rosetta.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_TRACES_PATH: Final = "/v1/traces"
_NEEDED: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def traces_wanted(endpoint: str | None, *, disabled: bool) -> bool:
    """Whether this process is to make traces; the arguments are those of `open_provider`.

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


def open_provider(service: str, endpoint: str | None, *, disabled: bool) -> TracerProvider | None:
    """What makes the spans of this process, and sends them in the background and in batches; None: nobody asked.

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
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + _TRACES_PATH)))
    return provider


def close_provider(provider: TracerProvider, patience_seconds: float) -> None:
    """Sends what is left, for as long as `patience_seconds` at most: a collector that is away delays nobody's end."""
    last = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    last.start()
    last.join(patience_seconds)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it lies in
        return False
