"""The archive of classes: made once, used by the JVM, and never in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compute.engine.debezium import archive_maker, class_archive
from compute.engine.debezium.archive_maker import ArchiveMaker
from compute.engine.debezium.jars import class_path, library_folder

CONNECTOR = "io.debezium.connector.postgresql.PostgresConnector"
LOADS = f"""
import jpype
from compute.engine.debezium import class_archive, jvm
from rosetta.enums import Profile
from pathlib import Path
import sys
class_archive.user_cache_path = lambda name: Path(sys.argv[1])
jvm.start(Profile.SMALL)
jvm.java_class("{CONNECTOR}")
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr(class_archive, "user_cache_path", lambda _: folder)
    return folder


def _origin_of_the_connector(cache: Path, tmp_path: Path) -> str:
    """Where a JVM that uses `cache` has the connector's class from, in its own words."""
    log = tmp_path / "loaded.txt"
    subprocess.run(
        ["env", f"PYDBZ_JVM_OPTS=-Xlog:class+load:file={log}", sys.executable, "-c", LOADS, cache],
        check=True,
        cwd=Path(class_archive.__file__).parents[3],
        timeout=60,
    )
    return next(line for line in log.read_text().splitlines() if f" {CONNECTOR} " in line)


def test_it_is_made_once_and_the_jvm_takes_classes_from_it(cache: Path, tmp_path: Path) -> None:
    jars = class_path(library_folder())
    assert class_archive.options(jars) == ()
    assert "shared objects file" not in _origin_of_the_connector(cache, tmp_path)

    maker = ArchiveMaker()
    maker.start()
    assert maker.wait(100)
    path = class_archive.archive_path(jars)
    made = path.stat()
    assert f"-XX:SharedArchiveFile={path}" in class_archive.options(jars)
    assert "shared objects file" in _origin_of_the_connector(cache, tmp_path)

    again = ArchiveMaker()
    again.start()
    assert again.wait(5)
    assert path.stat().st_mtime_ns == made.st_mtime_ns

    path.chmod(0o600)
    path.write_bytes(b"not an archive" * 1000)
    assert "shared objects file" not in _origin_of_the_connector(cache, tmp_path)


def test_stopping_leaves_no_process_and_no_half_of_one(cache: Path) -> None:
    maker = ArchiveMaker()
    maker.start()
    maker.stop()
    assert maker.wait(0)
    assert maker._process is None or maker._process.poll() is not None
    assert list(cache.glob("*.jsa")) == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for number in range(6):
        path = tmp_path / f"classes-{number}.jsa"
        path.touch()
        path.with_suffix(".lock").touch()
    archive_maker._remove_old(tmp_path)
    assert len(list(tmp_path.glob("*.jsa"))) == len(list(tmp_path.glob("*.lock"))) == 4
