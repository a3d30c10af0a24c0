"""Processes that use one credential share its limit, leave nothing behind, and give nothing away."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

from haulier.io.shared_limit import SharedLimit

TURNS = """
import sys, time
from pathlib import Path
from haulier.io.shared_limit import SharedLimit
share = SharedLimit(Path(sys.argv[1]), "https://a.example", ["secret"])
for _ in range(int(sys.argv[2])):
    before = time.monotonic()
    while (wait := share.turn(0.02)) > 0:
        time.sleep(wait)
        before = time.monotonic()
    print(before, time.monotonic(), flush=True)
"""


def limit(folder: Path, origin: str = "https://a.example", secret: str = "secret") -> SharedLimit:
    return SharedLimit(folder, origin, [secret])


def test_several_processes_take_turns(tmp_path: Path) -> None:
    limit(tmp_path / "limits").turn(0.02)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TURNS, str(tmp_path / "limits"), "25"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    lines = [line.split() for one in running for line in one.communicate(timeout=60)[0].splitlines()]
    # Each was given between these two instants, which a machine under load may draw apart.
    asked, given = (sorted(float(line[at]) for line in lines) for at in (0, 1))
    assert len(lines) == 75
    # No more of them in any half a second than the limit grants, and one for a timer that was late.
    for before, after in zip(asked, given[26:], strict=False):
        assert after - before >= 25 * 0.02
    assert given[-1] - given[0] < 75 * 0.02 * 2 + 2


def test_other_credentials_and_other_origins_have_limits_of_their_own(tmp_path: Path) -> None:
    assert limit(tmp_path / "limits").turn(60) == 0
    assert limit(tmp_path / "limits").turn(60) > 50
    assert limit(tmp_path / "limits", secret="other").turn(60) == 0
    assert limit(tmp_path / "limits", origin="https://b.example").turn(60) == 0


def test_a_wait_the_service_asked_for_holds_all(tmp_path: Path) -> None:
    limit(tmp_path / "limits").asked(30)
    assert 29 < limit(tmp_path / "limits").turn(0.1) <= 30


def test_turns_follow_each_other_evenly(tmp_path: Path) -> None:
    share = limit(tmp_path / "limits")
    turns: list[tuple[float, float]] = []  # each was given between these two instants
    while len(turns) < 10:
        asked = time.monotonic()
        if (wait := share.turn(0.02)) > 0:
            time.sleep(wait)
        else:
            turns.append((asked, time.monotonic()))
    for (before, _), (_, after) in pairwise(turns):
        assert after - before > 0.009
    assert turns[-1][1] - turns[0][0] >= 9 * 0.02 - 0.01
    share.close()


def test_a_torn_file_and_one_of_before_a_restart_hold_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "limits"
    limit(folder).turn(0.1)
    (state,) = folder.glob("*.json")
    for content in (b"", b'{"next_st', b'{"next_start":1e15,"not_before":1e15}'):
        state.write_bytes(content)
        assert limit(folder).turn(0.001) == 0


def test_the_folder_is_private_and_names_neither_origin_nor_secret(tmp_path: Path) -> None:
    share = limit(tmp_path / "limits")
    assert not (tmp_path / "limits").exists()  # not before it is needed
    share.turn(1)
    assert (tmp_path / "limits").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "limits").iterdir():
        assert b"secret" not in path.read_bytes()
        assert "example" not in path.name
        if path.name != ".gitignore":
            assert path.stat().st_mode & 0o777 == 0o600
