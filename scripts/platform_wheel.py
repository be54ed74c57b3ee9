"""Adds the accelerator to a wheel, for machines like this one: `python -m scripts.platform_wheel dist`.

The plain wheel goes everywhere, and compiles the accelerator where it runs or does without. This one spares a machine
of the same kind the compiler; everything else in it is the same.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.tags import platform_tags

from compute.engine.pgoutput.native import library

_PLACE = "compute/engine/pgoutput/native/swift.so"


def main(folder: str) -> None:
    plain = sorted(Path(folder).glob("*-none-any.whl"), key=lambda path: path.stat().st_mtime)
    if not plain:
        sys.exit(f"there is no wheel in {folder}: make one with `make wheel`")
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "swift.so"
        library.compile_to(built)
        sys.stdout.write(f"{with_library(plain[-1], built, platform())}\n")


def platform() -> str:
    """The tag of wheels for this machine: on Linux of its C library's version, which newer ones can do, too."""
    tags = list(platform_tags())
    return next((tag for tag in tags if tag.startswith(("manylinux", "musllinux"))), tags[0])


def with_library(plain: Path, built: Path, tag: str) -> Path:
    """The wheel `plain` with the library `built` in it, beside it, for the platform `tag`."""
    made = plain.with_name(plain.name.replace("-none-any.whl", f"-none-{tag}.whl"))
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        lines = []
        for name in [*names, _PLACE]:
            if name == record:
                continue
            data = built.read_bytes() if name == _PLACE else source.read(name)
            if name.endswith(".dist-info/WHEEL"):
                data = data.replace(b"-none-any", f"-none-{tag}".encode())
                data = data.replace(b"Root-Is-Purelib: true", b"Root-Is-Purelib: false")
            target.writestr(name if name == _PLACE else source.getinfo(name), data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(data)}\n")
        target.writestr(record, "".join([*lines, f"{record},,\n"]))
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
