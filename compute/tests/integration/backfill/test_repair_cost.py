"""What a resync of a large table with few differences costs, beside a copy of all of it.

`ROSETTA_RESYNC_ROWS=1000000` for the figures of the documentation; they are printed.
"""

from __future__ import annotations

import os
import sys

import pytest

from compute.backfill.parts import CopyOptions
from compute.tests.integration.backfill.copying import Copying
from compute.tests.integration.backfill.test_repair import at_target
from compute.tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
ROWS = int(os.environ.get("ROSETTA_RESYNC_ROWS", "100000"))


def timed(copying: Copying, kind: str) -> tuple[float, int]:
    """Seconds of the job from its start to its end, and the bytes that it copied."""
    _, job_id = copying.queue("t", kind)
    eventually(lambda: copying.status(job_id) in {"COMPLETED", "FAILED"}, 500)
    assert copying.status(job_id) == "COMPLETED"
    seconds, size = copying.job(job_id, "extract(epoch FROM completed_at - started_at)::float", "bytes_done")
    return seconds, size


def test_a_resync_of_few_differences_moves_little(copying: Copying, capsys: pytest.CaptureFixture[str]) -> None:
    copying.source.run(
        "CREATE TABLE public.t"
        " (id bigint PRIMARY KEY, u uuid, name text, amount numeric(12, 2), at timestamptz, doc jsonb)",
        "INSERT INTO public.t SELECT n, md5(n::text)::uuid, 'name ' || n, n / 7.0, now(), jsonb_build_object('n', n)"
        f" FROM generate_series(1, {ROWS}) n",
        "VACUUM ANALYZE public.t",
    )
    # a hundred chunks, ten of which differ, however many rows there are
    copying.start(CopyOptions(poll_seconds=0.1, batch_rows=ROWS // 100))
    copy_seconds, copy_bytes = timed(copying, "INITIAL")
    at_target(copying, "VACUUM ANALYZE public.t")
    step = ROWS // 10
    at_target(copying, f"UPDATE public.t SET name = 'wrong' WHERE id % {step} = 1 AND id <= {ROWS}")
    seconds, size = timed(copying, "RESYNC")
    assert copying.target_rows("SELECT count(*) FROM public.t WHERE name = 'wrong'") == [(0,)]
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ROWS} rows, 10 differ: copy {copy_seconds:.2f} s, {copy_bytes} bytes;"
            f" resync {seconds:.2f} s, {size} bytes; ratio {seconds / copy_seconds:.3f}\n"
        )
    assert size < copy_bytes / 4
