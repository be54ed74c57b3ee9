"""requirements.txt installs what the lock has tested."""

from __future__ import annotations

import tomllib

from app.core.config import BACKEND_FOLDER


def test_every_pin_is_the_locks() -> None:
    lock = tomllib.loads((BACKEND_FOLDER.parent / "uv.lock").read_text())
    locked = {package["name"]: package.get("version") for package in lock["package"]}
    lines = (BACKEND_FOLDER / "requirements.txt").read_text().splitlines()
    pins = dict(line.partition(";")[0].strip().split("==") for line in lines if "==" in line.partition(";")[0])
    assert len(pins) > 30
    assert pins == {name: locked[name] for name in pins}
    wanted = next(package for package in lock["package"] if package["name"] == "rosetta-backend")["dependencies"]
    assert {dependency["name"] for dependency in wanted} - {"rosetta"} <= pins.keys()
