"""A process that is killed in the middle of a line: what it tore is mended, and what was whole stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from haulier.io.doors import FolderDoors
from haulier.io.outputs.jsonl import JsonlOutput, JsonlSettings

LIMIT = 10_000
_WRITE = """
import resource, signal, sys
from pathlib import Path
from haulier.io.doors import FolderDoors
from haulier.io.outputs.jsonl import JsonlOutput, JsonlSettings

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
output = JsonlOutput(JsonlSettings(path="out.jsonl"), FolderDoors(Path(sys.argv[1])))
for number in range(100_000):
    output.write([b'{"id":"%d","run":"r"}' % number])
"""


@pytest.mark.parametrize("limit", range(LIMIT, LIMIT + 16, 3))
def test_a_line_torn_by_a_kill_is_cut_off_and_the_rest_stays(tmp_path: Path, limit: int) -> None:
    """The system writes up to the limit on file sizes, in the middle of a line, and kills with the next byte."""
    process = subprocess.run(
        [sys.executable, "-c", _WRITE, str(tmp_path), str(limit)], capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGXFSZ, process.stderr.decode()
    path = tmp_path / "out.jsonl"
    torn = path.read_bytes()
    assert len(torn) == limit
    with closing(JsonlOutput(JsonlSettings(path="out.jsonl"), FolderDoors(tmp_path))) as output:
        output.write([b'{"id":"new","run":"r"}'])
    lines = path.read_bytes().splitlines()
    whole = torn.count(b"\n") + (torn.endswith(b"}"))
    assert lines == [b'{"id":"%d","run":"r"}' % number for number in range(whole)] + [
        b'{"id":"new","run":"r"}'
    ]
