# ruff: noqa: INP001 - a script of its own, no package
"""Removes the jars of Debezium's package that the engine does not load, for a smaller image."""

from __future__ import annotations

from compute.engine.debezium.jars import class_path, library_folder

folder = library_folder()
needed = set(class_path(folder))
for jar in folder.glob("*.jar"):
    if str(jar) not in needed:
        jar.unlink()
