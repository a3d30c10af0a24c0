"""What the bench says of a process that it measured."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_TAKE = "held = b'x' * 100_000_000; import time; time.sleep(1)"
_BEGIN = f"import subprocess, sys; begun = subprocess.Popen([sys.executable, '-c', {_TAKE!r}]); {_TAKE}; begun.wait()"


# In a process of its own, as one begins with the peak of the process that began it.
_MEASURE = """
import os
import subprocess
import sys
from pathlib import Path
from bench.processes import run_child
argv = [sys.executable, "-c", sys.argv[1]]
print(run_child(argv, Path(), timeout_s=60, environment={}).peak_bytes)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the system does not tell")
def test_the_memory_of_processes_that_it_began_counts(tmp_path: Path) -> None:
    def peak(program: str) -> int:
        argv = [sys.executable, "-c", _MEASURE, program]
        path = os.pathsep.join(filter(None, sys.path))
        told = subprocess.run(
            argv, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True
        )
        return int(told.stdout)

    assert 100e6 < peak(_TAKE) < 150e6
    assert 200e6 < peak(_BEGIN) < 250e6
