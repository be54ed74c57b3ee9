"""Fixtures of the embedded stack's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def cluster_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's account can enter; pytest's own are closed to it when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
