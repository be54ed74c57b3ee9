"""What a service leaves behind is collected, and the services' own ends are left to their supervisor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# In a process of its own: whoever adopts orphans takes over every child's end.
ADOPTING = """
import signal, subprocess, sys
from rosetta.local.orphans import Orphanage

known = []
orphanage = Orphanage(lambda: known)
leaving = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', ''])"
parent = subprocess.Popen([sys.executable, '-c', leaving])
known.append(parent.pid)
while orphanage.collect() and parent.poll() is None:
    pass
assert parent.wait() == 0, parent.returncode
known.clear()
assert orphanage.close(), 'the orphan was not collected'

lasting = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])
assert not orphanage.close(timeout_seconds=0.1), 'a child that lives was overlooked'
lasting.kill()
assert orphanage.close()
print('done')
"""


def test_orphans_are_collected_and_known_children_are_left_to_their_owner(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", ADOPTING], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30
    )
    assert (answer.returncode, answer.stdout) == (0, "done\n"), answer.stderr
