from __future__ import annotations
import pytest
from pathlib import Path
from compute.tests.chaos.arena import Arena
from compute.tests.chaos.servers import servers, Servers


@pytest.fixture(scope="session")
def chaos_servers():
    with servers() as made:
        yield made


def test_nothing(chaos_servers, tmp_path):
    with Arena(chaos_servers, 1, 2000, tmp_path, ("a", "b")) as arena:
        arena.begin()
        with arena.writer(3000) as w:
            from compute.tests.support.waiting import eventually

            eventually(lambda: w.done, 60)
        print(w.committed, w.changes)
        with arena.recovery():
            pass
        v = arena.judge()
        print(v, arena.recoveries)
        assert v.clean
    chaos_servers.drop_databases()
