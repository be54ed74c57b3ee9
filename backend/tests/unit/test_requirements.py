"""requirements.txt installs what the lock has tested."""

from __future__ import annotations

import tomllib

import yaml
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


def test_everything_is_locked_with_hashes_and_nothing_comes_from_git() -> None:
    lock = tomllib.loads((BACKEND_FOLDER.parent / "uv.lock").read_text())
    members = {"rosetta", "rosetta-backend", "rosetta-compute"}
    for package in lock["package"]:
        name, source = package["name"], package["source"]
        if name in members:
            assert set(source) == {"editable"}, name
            continue
        assert set(source) == {"registry"}, f"{name} comes from {source}"
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, name
        assert all(file["hash"].startswith("sha256:") for file in files), name


def test_the_workflows_audit_what_is_locked() -> None:
    text = (BACKEND_FOLDER.parent / ".github" / "workflows" / "audit.yml").read_text()
    workflow = yaml.safe_load(text)
    steps = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert any("pip-audit --strict" in step and "--require-hashes" in step for step in steps)
    assert any("pnpm audit" in step for step in steps)
    assert "schedule" in workflow[True], "what is found later is found, too"  # YAML reads `on` as true
