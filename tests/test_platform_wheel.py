"""A wheel with the accelerator is the plain one, for one platform, and with a library that works."""

from __future__ import annotations

import base64
import ctypes
import hashlib
import zipfile
from pathlib import Path

import pytest

from compute.engine.pgoutput.native import library
from scripts import platform_wheel

MEMBERS = {
    "rosetta/__init__.py": b"__version__ = '1.0'\n",
    "rosetta_cdc-1.0.dist-info/METADATA": b"Metadata-Version: 2.4\nName: rosetta-cdc\nVersion: 1.0\n",
    "rosetta_cdc-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "rosetta_cdc-1.0.dist-info/RECORD": b"rosetta/__init__.py,,\n",
}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "rosetta_cdc-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in MEMBERS.items():
            wheel.writestr(name, data)
    return path


def test_the_wheel_of_a_platform_holds_the_library(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platform_wheel.main(str(tmp_path))
    made = tmp_path / f"rosetta_cdc-1.0-py3-none-{platform_wheel.platform()}.whl"
    assert capsys.readouterr().out == f"{made}\n"
    with zipfile.ZipFile(made) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist()}
        wheel.extractall(tmp_path / "installed")
    place = "compute/engine/pgoutput/native/swift.so"
    assert contents.keys() == MEMBERS.keys() | {place}
    about = contents["rosetta_cdc-1.0.dist-info/WHEEL"].decode()
    assert about == f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{platform_wheel.platform()}\n"
    for line in contents["rosetta_cdc-1.0.dist-info/RECORD"].decode().splitlines():
        name, digest, size = line.split(",")
        if not name.endswith("RECORD"):
            data = contents.pop(name)
            encoded = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            assert (digest, int(size)) == (f"sha256={encoded}", len(data))
    assert [*contents] == ["rosetta_cdc-1.0.dist-info/RECORD"]
    assert library.declared(ctypes.CDLL(str(tmp_path / "installed" / place))).table_new.restype is ctypes.c_void_p


def test_without_a_plain_wheel_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="make wheel"):
        platform_wheel.main(str(tmp_path))
