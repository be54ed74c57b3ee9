"""Traces of a pipeline: one per batch, from the engine's hands to its acknowledgement, with each destination's write.

Their attributes are numbers and counts. No span holds a value of a row, the text of an error, or the name of a table.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, Protocol

from compute.core.batch import ChangeBatch
from compute.dlq.entries import Divided
from rosetta import __version__
from rosetta.errors import RosettaError
from rosetta.tracing import Traces, open_traces

if TYPE_CHECKING:
    from opentelemetry.trace import Span

SERVICE: Final = "rosetta-compute"
_LAST_SECONDS: Final = 1.0  # of the few that a pipeline has to end


class Spans(Protocol):
    """Whom the stream passes by. Batches are taken and acknowledged in their order; every method is cheap."""

    def taken(self, batch: ChangeBatch) -> None:
        """The engine has handed a batch over."""

    def writing(self, destination_id: int, batch: ChangeBatch, divided: Divided, /) -> AbstractContextManager[None]:
        """Around a destination's write of what of a batch is not parked; on its writer's thread."""

    def acknowledged(self, sequence: int) -> None:
        """Every batch up to this one is durable or parked for every destination."""

    def close(self) -> None:
        """Sends what is left; never takes long."""


class NoSpans:
    """Where nobody asked for traces."""

    def taken(self, batch: ChangeBatch) -> None: ...

    def writing(self, _to: int, _batch: ChangeBatch, _divided: Divided, /) -> AbstractContextManager[None]:
        return nullcontext()

    def acknowledged(self, sequence: int) -> None: ...

    def close(self) -> None: ...


class PipelineSpans:
    """Spans of one pipeline (see `Spans`).

    A batch's span is open from `taken` to `acknowledged`, so there are as many as the engine lends batches; those of
    the destinations lie below it. Batches that were gathered into one write stand below the last of them.
    """

    def __init__(self, traces: Traces, pipeline_id: int) -> None:
        self._traces = traces
        self._tracer = traces.provider.get_tracer(SERVICE, __version__)
        self._pipeline_id = pipeline_id
        self._lock = threading.Lock()
        self._open: OrderedDict[int, Span] = OrderedDict()

    def taken(self, batch: ChangeBatch) -> None:
        if not batch.tables and not batch.truncated:  # a position alone: several a second of an idle source
            return
        span = self._tracer.start_span("batch", attributes=self._counts(batch) | _size(batch))
        with self._lock:
            self._open[batch.sequence] = span

    @contextmanager
    def writing(self, destination_id: int, batch: ChangeBatch, divided: Divided) -> Iterator[None]:
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

        with self._lock:
            above = self._open.get(batch.sequence)
        span = self._tracer.start_span(
            "write",
            None if above is None else set_span_in_context(above),
            kind=SpanKind.CLIENT,
            attributes=self._counts(batch)
            | {
                "rosetta.destination.id": destination_id,
                "rosetta.rows": sum(write.changes.row_count for write in divided.writes),
                "rosetta.bytes": sum(len(write.changes.data) for write in divided.writes),
                "rosetta.tables": len({write.target.sync_id for write in divided.writes}),
                "rosetta.parked": len(divided.entries),
            },
        )
        try:
            yield
        except BaseException as error:
            # Its text may quote a row; its code does not.
            span.set_status(StatusCode.ERROR, error.code if isinstance(error, RosettaError) else type(error).__name__)
            raise
        else:
            if batch.commit_time is not None:
                span.set_attribute("rosetta.lag_seconds", max(0.0, time.time() - batch.commit_time))
        finally:
            span.end()

    def acknowledged(self, sequence: int) -> None:
        with self._lock:
            while self._open and next(iter(self._open)) <= sequence:
                self._open.popitem(last=False)[1].end()

    def close(self) -> None:
        self._traces.close(_LAST_SECONDS)

    def _counts(self, batch: ChangeBatch) -> dict[str, Any]:
        return {"rosetta.pipeline.id": self._pipeline_id, "rosetta.batch.sequence": batch.sequence}


def spans_of(pipeline_id: int, endpoint: str | None, *, disabled: bool) -> Spans:
    """What follows the stream of a pipeline's process. Raises ConfigurationError as `rosetta.tracing` does."""
    traces = open_traces(SERVICE, endpoint, disabled=disabled)
    return NoSpans() if traces is None else PipelineSpans(traces, pipeline_id)


def _size(batch: ChangeBatch) -> dict[str, Any]:
    return {
        "rosetta.rows": batch.row_count,
        "rosetta.bytes": batch.byte_count,
        "rosetta.tables": len({changes.table for changes in batch.tables} | set(batch.truncated)),
    }
