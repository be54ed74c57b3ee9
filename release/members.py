# ruff: noqa: INP001 - a script of its own, no package
"""Makes one wheel of the workspace's members: what is in each, and what it needs, is said there and nowhere else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilder
from hatchling.metadata.plugin.interface import MetadataHookInterface

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = (ROOT, ROOT / "backend", ROOT / "compute")


class Requirements(MetadataHookInterface):  # type: ignore[misc] # only there while a package is built
    """The members' requirements without each other."""

    def update(self, metadata: dict[str, Any]) -> None:
        projects = [tomllib.loads((member / "pyproject.toml").read_text())["project"] for member in MEMBERS]
        own = {project["name"] for project in projects}
        metadata["dependencies"] = sorted({one for project in projects for one in project["dependencies"]} - own)
        extras: dict[str, set[str]] = {}
        for project in projects:
            for name, extra in project.get("optional-dependencies", {}).items():
                extras.setdefault(name, set()).update(one for one in extra if one.partition("[")[0] not in own)
        metadata["optional-dependencies"] = {name: sorted(extra) for name, extra in extras.items()}
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


class Files(BuildHookInterface[Any]):  # type: ignore[misc]
    """The members' files, with what their own build hooks add (the dashboard)."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        for member in MEMBERS:
            builder = WheelBuilder(str(member))
            own: dict[str, Any] = {**builder.get_default_build_data(), "force_include": {}}
            for hook in builder.get_build_hooks(self.directory).values():
                hook.initialize(version, own)
            found = {file.path: file.distribution_path for file in builder.recurse_included_files()}
            build_data["force_include"] |= found | own["force_include"]
