"""A replay is killed at random instants and called again: it is one run, and carries every dead letter once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.crash.counting import CountingServer

import haulier
from haulier.io.ledger.view import LedgerView

SEED = int(os.environ.get("HAULIER_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
RECORDS = 1500

CARRIER = """
import json, sys
import haulier
from haulier.errors import ConfigurationError
try:
    haulier.replay(json.loads(sys.argv[1]), state="state")
except ConfigurationError as error:
    assert "nothing is left to replay" in str(error)
"""


def test_random_kills_lose_no_dead_letter_and_begin_no_second_replay(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    with CountingServer(tmp_path / "state" / "carry" / "ledger.db", SEED, delay_s=0.01) as server:
        made: dict[str, Any] = {
            "name": "carry",
            "request": {"method": "POST", "url": f"{server.url}/records"},
            "batching": {"size": 5},
            "limits": {"max_in_flight": 4},
        }
        # The server takes everything: a file parameter that is missing makes dead letters of what is never sent.
        failing = {**made, "request": {**made["request"], "url": f"{server.url}/{{record.gone}}"}}
        records = [
            {"id": number, **({"gone": "x"} if number == RECORDS else {})} for number in range(RECORDS + 1)
        ]
        first = haulier.send(failing, records, state=tmp_path / "state")
        assert (first.rejected, first.delivered) == (RECORDS, 1)
        server.seen.clear()
        for _ in range(4):
            carry(tmp_path, made, chance)
        carry(tmp_path, made, None)
        bodies = {seen.key: (seen.digest, seen.ids) for seen in server.seen}
        assert all(bodies[seen.key] == (seen.digest, seen.ids) for seen in server.seen)
        assert sorted(number for _, ids in bodies.values() for number in ids) == list(range(RECORDS))
        assert not server.without_intent
    with closing(LedgerView.open(tmp_path / "state" / "carry")) as view:
        (run,) = view.replays()
        assert (run.state, run.read, run.delivered, run.parent) == (
            "finished",
            RECORDS,
            RECORDS,
            first.run_id,
        )


def carry(folder: Path, made: dict[str, Any], chance: random.Random | None) -> None:
    """Replay what is left, and kill that at some instant; without chance: to its end."""
    process = subprocess.Popen([sys.executable, "-c", CARRIER, json.dumps(made)], cwd=folder)
    if chance is not None:
        time.sleep(chance.uniform(0.2, 1.2))
        process.send_signal(signal.SIGKILL)
    assert process.wait(60) in (0, -signal.SIGKILL)
