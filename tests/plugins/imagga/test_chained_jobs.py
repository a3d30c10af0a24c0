"""Jobs within a chain, over real sockets: records go on with the final result, the process killed included."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.imagga_stages import DELETE, UPLOAD, categorize

import haulier
from haulier.runs.jobs.questions import Questioner
from haulier.runs.sittings.sending import prepare
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, Fault, ImaggaEmulator, serve
from haulier_imagga.emulator.service import Settings

PICTURES = Path(__file__).parents[3] / "examples" / "pictures"
FILES = sorted(path.name for path in PICTURES.iterdir())


class Served:
    """The emulator, and the chain that reaches it: upload, categorize as a job, delete."""

    def __init__(self, emulator: ImaggaEmulator, url: str) -> None:
        self.emulator = emulator
        self.url = url

    def chain(self, size: int = 2, **settings: Any) -> dict[str, Any]:
        return {
            "name": "chain",
            "connector": "imagga",
            "base_url": self.url,
            "key": "file",
            "retry": {"attempts": 3, "base_s": 0.01, "cap_s": 0.05},
            "limits": {"requests_per_second": 1000, "max_in_flight": 1},
            "stages": [UPLOAD, categorize(size=size), DELETE],
            "outputs": [{"to": "jsonl", "path": "out.jsonl", "answer": True}],
            **settings,
        }

    @property
    def credential(self) -> dict[str, Any]:
        """The key that signs in."""
        return {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET, "origins": [self.url]}

    def send(self, **more: Any) -> haulier.Report:
        chain = more.pop("chain", None) or self.chain()
        return haulier.send(chain, "in.jsonl", credential=self.credential, state="state", **more)

    @property
    def calls(self) -> list[str]:
        """What arrived, in order: `POST /v2/uploads`, ids left out."""
        return [f"{one.method} /{'/'.join(one.target.split('/')[1:3])}" for one in self.emulator.requests]


@pytest.fixture
def imagga(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An emulator whose jobs are done at the first question, and records of six pictures in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(PICTURES, "pictures")
    Path("in.jsonl").write_text("".join(json.dumps({"file": name}) + "\n" for name in FILES))
    emulator = ImaggaEmulator(polls=0)
    with serve(emulator) as server:
        yield Served(emulator, server.url)


def lines() -> list[dict[str, Any]]:
    """What the output got, one line an id: after a crash a line may come twice, and is the same then."""
    found = {}
    for text in Path("out.jsonl").read_text().splitlines():
        line = json.loads(text)
        assert found.setdefault(line["id"], line) == line
    return sorted(found.values(), key=lambda line: line["positions"])


def stages(report: haulier.Report) -> dict[str, dict[str, int]]:
    """The states of each stage that are not empty; fails where they do not add up to what was read."""
    names = ("pending", "sending", "delivered", "accepted", "rejected", "in_doubt")
    found = {}
    for one in report.stages:
        states = {name: getattr(one, name) for name in names}
        assert sum(states.values()) == one.read
        found[one.name] = {name: count for name, count in states.items() if count}
    return found


DONE = {name: {"delivered": 6} for name in ("upload", "categorize", "delete")}


def test_records_go_on_with_the_final_result_of_their_job(imagga: Served) -> None:
    report = imagga.send()
    assert (report.state, stages(report)) == ("finished", DONE)
    assert Counter(imagga.calls) == {
        "POST /v2/uploads": 6,
        "POST /v2/batches": 3,
        "GET /v2/tickets": 3,
        "DELETE /v2/uploads": 6,
    }
    found = lines()
    assert [(line["key"], line["stage"], line["state"]) for line in found] == [
        (name, "delete", "delivered") for name in FILES
    ]
    for line in found:
        result = line["answers"]["categorize"]["result"]
        assert result["is_final"] is True
        assert [one["status"]["type"] for one in result["ticket_result"]["/categories"]] == ["success"] * 2


def test_a_picture_is_deleted_only_after_its_job_was_at_its_end(imagga: Served) -> None:
    imagga.emulator.service.settings = Settings(polls=1)
    report = imagga.send(chain=imagga.chain(size=6))
    assert stages(report) == DONE
    calls = imagga.calls
    assert calls[-8:] == ["GET /v2/tickets"] * 2 + ["DELETE /v2/uploads"] * 6


def test_the_first_jobs_are_followed_while_others_are_not_begun(imagga: Served) -> None:
    """Depth first: what has its result leaves before what comes in."""
    report = imagga.send(chain=imagga.chain(size=1))
    assert stages(report) == DONE
    calls = imagga.calls
    assert calls.index("DELETE /v2/uploads") < len(calls) - 1 - calls[::-1].index("POST /v2/batches")


def test_a_job_without_its_result_leaves_its_records_and_the_next_call_goes_on(imagga: Served) -> None:
    """A stop while a job is under way: nothing is deleted, nothing is lost."""
    imagga.emulator.service.settings = Settings(polls=2)
    sitting = prepare(imagga.chain(size=6), "in.jsonl", credential=imagga.credential, state="state")
    ended: list[haulier.Report] = []
    thread = threading.Thread(target=lambda: ended.append(asyncio.run(sitting.run())))
    thread.start()
    until = time.monotonic() + 60
    while imagga.calls.count("GET /v2/tickets") < 1:
        assert time.monotonic() < until
        time.sleep(0.02)
    sitting.stop("enough")
    thread.join(60)
    (report,) = ended
    assert (report.state, report.reason) == ("stopped", "enough")
    assert stages(report) == {"upload": {"delivered": 6}, "categorize": {"accepted": 6}, "delete": {}}
    again = imagga.send(chain=imagga.chain(size=6))
    assert (again.run_id, again.state, stages(again)) == (report.run_id, "finished", DONE)
    assert Counter(imagga.calls)["POST /v2/batches"] == 1


def test_not_to_follow_is_refused_where_a_later_stage_waits_for_the_result(imagga: Served) -> None:
    with pytest.raises(
        haulier.ConfigurationError, match="stage `categorize`: answers with a ticket, and the stages"
    ):
        imagga.send(follow=False)
    assert imagga.calls == []


def test_what_the_last_stage_started_is_left_without_following_and_the_next_call_goes_on(
    imagga: Served,
) -> None:
    """Nobody is told of an end before there is one: outputs get each record once, with its result."""
    chain = imagga.chain()
    del chain["stages"][2]
    for _ in range(2):
        report = imagga.send(chain=chain, follow=False)
        assert (report.state, report.exit_code, stages(report)["categorize"]) == (
            "stopped",
            3,
            {"accepted": 6},
        )
        assert report.reason == (
            "the jobs of 6 records of stage `categorize` are not at their end yet: run again without --no-follow to "
            "go on"
        )
        assert not Path("out.jsonl").exists() or lines() == []
    assert "GET /v2/tickets" not in imagga.calls
    again = imagga.send(chain=chain)
    assert (again.run_id, again.state) == (report.run_id, "finished")
    assert stages(again) == {"upload": {"delivered": 6}, "categorize": {"delivered": 6}}
    assert [(line["key"], line["state"]) for line in lines()] == [(name, "delivered") for name in FILES]
    assert imagga.calls.count("POST /v2/batches") == 3


def test_a_result_that_was_lost_leaves_its_records_in_doubt_and_deletes_nothing_of_theirs(
    imagga: Served,
) -> None:
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", status=502))
    report = imagga.send()
    assert stages(report) == {
        "upload": {"delivered": 6},
        "categorize": {"delivered": 4, "in_doubt": 2},
        "delete": {"delivered": 4},
    }
    assert (report.lost, Counter(imagga.calls)["GET /v2/tickets"]) == (0, 3)
    doubtful = [line for line in lines() if line["state"] == "in_doubt"]
    assert [line["stage"] for line in doubtful] == ["categorize"] * 2
    assert doubtful[0]["reason"].endswith(
        "to begin a new job: haulier dead-letters replay chain --only in_doubt"
    )


def test_a_job_that_failed_rejects_its_records_and_what_was_uploaded_is_deleted(imagga: Served) -> None:
    failed = {"status": {"type": "error", "text": "the job broke"}}
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", status=200, body=failed))
    report = imagga.send()
    assert stages(report) == DONE | {"categorize": {"delivered": 4, "rejected": 2}}
    told = [(line["stage"], line["reason"]) for line in lines() if line["state"] == "rejected"]
    assert told == [("categorize", "Imagga answered 200, but says: the job broke")] * 2
    assert imagga.calls.count("DELETE /v2/uploads") == 6


def test_questions_keep_the_limit_of_requests_in_flight(imagga: Served) -> None:
    imagga.emulator.limits.set(max_in_flight=1)
    report = imagga.send(chain=imagga.chain(size=1))
    assert stages(report) == DONE
    assert {one.status for one in imagga.emulator.requests} == {200}


def test_a_stage_behind_gets_what_the_job_says_of_each_record(imagga: Served) -> None:
    imagga.emulator.service.settings = Settings(polls=0, any_face_id=True)
    chain = imagga.chain(key="sku")
    chain["stages"] = [{"name": "group", "endpoint": "group-faces"}, {"name": "usage", "endpoint": "usage"}]
    faces = [{"sku": f"p{n}", "face_id": f"face-{n}"} for n in range(6)]
    report = haulier.send(chain, faces, credential=imagga.credential, state="state")
    assert stages(report) == {"group": {"delivered": 6}, "usage": {"delivered": 6}}
    for face, line in zip(faces, lines(), strict=True):
        part = line["answers"]["group"]
        assert (line["key"], part["face_id"]) == (face["sku"], face["face_id"])
        assert set(part) == {"face_id", "group", "group_size"}


def test_a_job_that_takes_too_long_stops_the_run_and_the_next_call_goes_on(
    imagga: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other jobs of the stage came to goes on meanwhile."""
    imagga.emulator.service.settings = Settings(polls=1)
    real = Questioner.patience
    monkeypatch.setattr(
        Questioner, "patience", lambda self, _: real(self, 1.0)
    )  # and 2 s to the next question
    report = imagga.send(chain=imagga.chain(size=6))
    assert (report.state, report.exit_code) == ("stopped", 3)
    assert report.reason == (
        "the jobs of 6 records of stage `categorize` are not at their end yet: run again to go on"
    )
    assert stages(report)["categorize"] == {"accepted": 6}
    again = imagga.send(chain=imagga.chain(size=6))
    assert (again.run_id, again.state, stages(again)) == (report.run_id, "finished", DONE)


CARRY = """
import json, os, signal, sys
from haulier.io.ledger.store import Ledger
import haulier
kind, at = sys.argv[2], int(sys.argv[3])
real, seen = Ledger.commit_all, 0
def commit_all(self, commits):
    # The commit that holds a result, or a question: die before, or behind it.
    global seen
    flat = [one for some in commits.values() for one in some]
    hit = any(getattr(one, "answers" if kind != "asking" else "asking") for one in flat)
    seen += hit
    if hit and seen == at and kind == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, commits)
    if hit and seen == at and kind != "before":
        os.kill(os.getpid(), signal.SIGKILL)
Ledger.commit_all = commit_all
orders = json.loads(sys.argv[1])
haulier.send(orders["chain"], "in.jsonl", credential=orders["credential"], state="state")
"""


@pytest.mark.skipif(os.name != "posix", reason="kills")
@pytest.mark.parametrize("kind", ["asking", "before", "behind"])
@pytest.mark.parametrize("at", [1, 2])
def test_killed_around_a_result_nothing_is_lost_and_nothing_deleted_too_early(
    imagga: Served, kind: str, at: int
) -> None:
    """asking: the question is durable and never left; before: its answer came, and was lost; behind: it is durable.

    Only of a job whose answer may have been lost are the records in doubt, and they are told. All others come to their
    end, each deleted once.
    """
    orders = json.dumps({"chain": imagga.chain(), "credential": imagga.credential})
    killed = subprocess.run([sys.executable, "-c", CARRY, orders, kind, str(at)], timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    report = imagga.send()
    lost = 0 if kind == "behind" else 2
    done = {"delivered": 6 - lost}
    assert report.state == "finished"
    assert stages(report) == {
        "upload": {"delivered": 6},
        "categorize": done | ({"in_doubt": lost} if lost else {}),
        "delete": done,
    }
    assert Counter(line["state"] for line in lines()) == done | ({"in_doubt": lost} if lost else {})
    deleted = [one.target for one in imagga.emulator.requests if one.method == "DELETE"]
    assert len(set(deleted)) == 6 - lost
    with closing(sqlite3.connect("state/chain/ledger.db")) as db:
        (owed,) = db.execute("select count(*) from owed").fetchone()
    assert owed == 0


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_killed_again_and_again_every_picture_comes_to_its_end_or_is_told(imagga: Served) -> None:
    """At any instant of a sitting; a result that may have been lost is in doubt, all else is carried on."""
    orders = json.dumps({"chain": imagga.chain(size=1), "credential": imagga.credential})
    for calls in (3, 7, 11, 14):
        process = subprocess.Popen([sys.executable, "-c", CARRY, orders, "none", "-1"])
        until = time.monotonic() + 60
        while len(imagga.calls) < calls and process.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    report = imagga.send(chain=imagga.chain(size=1))
    assert report.state == "finished"
    found = stages(report)
    assert found["upload"] == {"delivered": 6}
    in_doubt = found["categorize"].get("in_doubt", 0)
    assert in_doubt <= 4, "one question at a time is under way"
    assert found["categorize"].get("delivered", 0) == 6 - in_doubt == found["delete"].get("delivered", 0)
    assert Counter(line["state"] for line in lines()) == Counter(
        {"delivered": 6 - in_doubt, "in_doubt": in_doubt} if in_doubt else {"delivered": 6}
    )
