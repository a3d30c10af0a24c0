"""Jobs followed to their end over real sockets, the process killed where it hurts most included."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import haulier
from haulier.cli.reporting import report_lines
from haulier.io.credentials import CredentialStore
from haulier.runs.jobs.follow import Clock
from haulier.runs.jobs.following import prepare_follow
from haulier.runs.reports.history import dead_letters
from haulier.runs.resolving.builtins import load_registry
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, Fault, ImaggaEmulator, serve
from haulier_imagga.jobs import groups_of

FACES = [{"sku": f"p{n}", "face_id": f"face-{n}", "secret_note": "x"} for n in range(6)]


class Served:
    """The emulator, and how a destination reaches it."""

    def __init__(self, emulator: ImaggaEmulator, url: str) -> None:
        self.emulator = emulator
        self.url = url

    def to(self, **settings: Any) -> dict[str, Any]:
        """A destination that groups faces."""
        return {
            "name": "faces",
            "connector": "imagga",
            "endpoint": "group-faces",
            "base_url": self.url,
            "key": "sku",
            "limits": {"requests_per_second": 1000, "max_in_flight": 1},
            "outputs": [{"to": "jsonl", "path": "out.jsonl"}],
            **settings,
        }

    @property
    def credential(self) -> dict[str, Any]:
        """The key that signs in."""
        return {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET, "origins": [self.url]}

    @property
    def polls(self) -> int:
        """How often a ticket was asked for."""
        return sum("/tickets/" in one.target for one in self.emulator.requests)


class Quick(Clock):
    """Time that passes as soon as somebody sleeps; `slept` is what they asked for."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture
def imagga(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """An emulator whose jobs are done at the first question, and a project as the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("haulier.yaml").write_text("version: 1\n")
    emulator = ImaggaEmulator(polls=0, any_face_id=True)
    with serve(emulator) as server:
        yield Served(emulator, server.url)


def lines() -> list[dict[str, Any]]:
    """What the output got."""
    path = Path("out.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_run_follows_its_job_and_settles_each_face_with_its_group(imagga: Served) -> None:
    report = haulier.send(imagga.to(), FACES, credential=imagga.credential)
    assert (report.state, report.delivered, report.accepted, report.ok) == ("finished", 6, 0, True)
    assert imagga.polls == 1
    found = lines()
    assert [(line["key"], line["face_id"], line["state"]) for line in found] == [
        (face["sku"], face["face_id"], "delivered") for face in FACES
    ]
    groups: dict[int, int] = {}
    for line in found:
        groups[line["group"]] = groups.get(line["group"], 0) + 1
    assert {line["group"]: line["group_size"] for line in found} == groups
    assert {tuple(line["record"]) for line in found} == {("face_id",)}, "only what was sent"
    assert len({line["id"] for line in found}) == 6


@pytest.mark.parametrize(
    ("settings", "params"),
    [
        ({"rename": {"face": "face_id"}}, {}),
        ({"add": {"face_id": "{record.face}"}}, {}),
        ({"add": {"face_id": "{param.before}-{record.number}"}}, {"before": "face"}),
        ({"add": {"found.id": "{record.face}"}, "batching": {"item": "found.id"}}, {}),
    ],
)
def test_faces_that_were_named_or_made_for_the_call_get_their_groups(
    imagga: Served, settings: dict[str, Any], params: dict[str, str]
) -> None:
    records = [b'{"sku":"p%d","face":"face-%d","number":%d,"n":1e400}' % (n, n, n) for n in range(6)]
    report = haulier.send(imagga.to(**settings), records, credential=imagga.credential, params=params)
    assert (report.state, report.delivered) == ("finished", 6)
    name = settings.get("batching", {}).get("item", "face_id")
    assert [(line["key"], line[name]) for line in lines()] == [(f"p{n}", f"face-{n}") for n in range(6)]
    assert all(line["group_size"] > 0 for line in lines())


def test_a_chain_groups_the_faces_that_its_first_stage_found(imagga: Served) -> None:
    settings = imagga.to(
        key="url",
        outputs=[{"to": "jsonl", "path": "out.jsonl", "answer": True}],
        stages=[
            {
                "name": "detect",
                "endpoint": "detect-faces",
                "params": {"image_url": "{record.url}", "return_face_id": True},
            },
            {
                "name": "grouping",
                "endpoint": "group-faces",
                "each": "/result/faces",
                "add": {"face_id": "{record.detect.face_id}"},
            },
        ],
    )
    del settings["endpoint"]
    records = [{"url": f"https://example.org/people-{n}.jpg"} for n in range(6)]
    report = haulier.send(settings, records, credential=imagga.credential)
    assert report.state == "finished"
    found = [line["answers"] for line in lines()]
    assert len(found) >= 5
    assert [one["grouping"]["face_id"] for one in found] == [one["detect"]["face_id"] for one in found]
    assert all(one["grouping"]["group_size"] > 0 for one in found)


def test_without_following_the_records_stay_accepted_and_follow_goes_on(imagga: Served) -> None:
    report = haulier.send(
        imagga.to(), FACES, credential=imagga.credential, follow=False, state="state", run_key="k"
    )
    assert (report.accepted, report.exit_code, imagga.polls) == (6, 5, 0)
    (accepted,) = lines()
    assert (accepted["state"], accepted["positions"]) == ("accepted", [0, 1, 2, 3, 4, 5])
    assert accepted["ticket"] == accepted["ticket_id"]
    destination = imagga.to()
    del destination["name"]
    Path("destinations").mkdir()
    Path("destinations/faces.yaml").write_text(json.dumps(destination))
    later = haulier.follow(report.run_id, state="state", credential=imagga.credential)
    assert (later.delivered, later.accepted, later.exit_code) == (6, 0, 0)
    assert report.ended is not None
    assert later.ended is not None
    assert later.ended > report.ended, "it ended when its last record came to rest"
    assert [line["state"] for line in lines()] == ["accepted"] + ["delivered"] * 6
    again = haulier.follow("faces", state="state", credential=imagga.credential)
    assert (again.delivered, imagga.polls, len(lines())) == (6, 1, 7), "nothing is left to ask"
    assert again.ended == later.ended


def followed(imagga: Served, timeout_s: float | None = None) -> tuple[haulier.Report, Quick]:
    """A run whose job is followed under a clock of its own."""
    settings = imagga.to()
    del settings["name"]
    Path("destinations").mkdir(exist_ok=True)
    Path("destinations/faces.yaml").write_text(json.dumps(settings))
    haulier.send("faces", FACES, credential=imagga.credential, follow=False, run_key="k")
    clock = Quick()
    sitting = prepare_follow("faces", credential=imagga.credential, timeout_s=timeout_s, clock=clock)
    return asyncio.run(sitting.run()), clock


def test_pauses_rise_from_two_to_thirty_seconds(imagga: Served) -> None:
    imagga.emulator.service.settings = type(imagga.emulator.service.settings)(polls=7, any_face_id=True)
    report, clock = followed(imagga)
    assert report.delivered == 6
    assert [round(pause) for pause in clock.slept] == [2, 4, 8, 16, 30, 30, 30]


def test_a_job_that_takes_too_long_stays_accepted(imagga: Served) -> None:
    imagga.emulator.service.settings = type(imagga.emulator.service.settings)(polls=99, any_face_id=True)
    report, _ = followed(imagga, timeout_s=10)
    assert (report.accepted, report.delivered) == (6, 0)
    assert report.note.startswith("not at their end yet: 6 records; go on with: haulier follow ")


@pytest.mark.parametrize("drop", ["unanswered", "partial"])
def test_an_answer_that_is_dropped_is_in_doubt_and_not_asked_for_again(drop: Any, imagga: Served) -> None:
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", drop=drop))
    report, _ = followed(imagga)
    assert (report.in_doubt, report.delivered) == (6, 0)
    assert imagga.polls == 1
    again = haulier.follow("faces", credential=imagga.credential)
    assert (again.in_doubt, imagga.polls) == (6, 1)
    assert {line["state"] for line in lines()[1:]} == {"in_doubt"}
    assert "was lost" in lines()[-1]["reason"]
    way_on = f"to ask once more: haulier follow {report.run_id[:12]} --lost"
    (reason,) = {letter.reason for letter in dead_letters("faces")}
    assert reason.endswith(f"; {way_on}")
    assert report.lost == 6
    advice = list(report_lines(report))[-1]
    assert advice == f"6 in doubt as the answer with their result was lost; {way_on}"


def test_an_answer_that_holds_nothing_is_in_doubt_and_may_be_asked_for_again(imagga: Served) -> None:
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", status=200, body=""))
    report, _ = followed(imagga)
    assert (report.in_doubt, report.lost) == (6, 6)
    (reason,) = {letter.reason for letter in dead_letters("faces")}
    assert reason.endswith(
        f"with nothing where a JSON object was expected; to ask once more: haulier follow {report.run_id[:12]} --lost"
    )


def test_a_result_that_was_read_by_somebody_else_is_in_doubt(imagga: Served) -> None:
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", status=410))
    report, _ = followed(imagga)
    assert (report.in_doubt, report.lost) == (6, 0)
    assert "no longer there" in lines()[-1]["reason"]
    assert "--lost" not in "".join(report_lines(report))


def asked() -> tuple[int, int]:
    """How often the one job was asked for, as the ledger knows, and whether a question is on its way."""
    path = Path(".haulier/faces/ledger.db")
    if not path.exists():
        return 0, 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        try:
            found = db.execute("select asked, asking from job").fetchone()
        except sqlite3.OperationalError:  # being made just now
            return 0, 0
    return found or (0, 0)


KILLED = """
import json, os, sys
from haulier.io.ledger.store import Ledger
import haulier
real = Ledger.commit
def commit(self, run, commits):
    answered = any(body for one in commits for _, body, _ in one.answers)
    if answered and sys.argv[1] == "before":
        os._exit(9)
    real(self, run, commits)
    if answered:
        os._exit(9)
Ledger.commit = commit
haulier.follow("faces", credential=json.loads(sys.argv[2]))
"""


@pytest.mark.parametrize(("when", "state"), [("before", "in_doubt"), ("after", "delivered")])
def test_killed_around_the_answer(when: str, state: str, imagga: Served) -> None:
    """Before the ledger has it, the answer is lost and nobody asks again; from then on, nothing of it is lost."""
    settings = imagga.to()
    del settings["name"]
    Path("destinations").mkdir()
    Path("destinations/faces.yaml").write_text(json.dumps(settings))
    haulier.send("faces", FACES, credential=imagga.credential, follow=False, run_key="k")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, when, json.dumps(imagga.credential)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (killed.returncode, killed.stderr) == (9, "")
    assert imagga.polls == 1
    assert len(lines()) == 1, "the output had nothing of it yet"
    report = haulier.follow("faces", credential=imagga.credential)
    assert imagga.polls == 1, "what may have been the final answer is not asked for again"
    assert getattr(report, state) == 6
    assert report.read == report.delivered + report.in_doubt
    assert {line["state"] for line in lines()[1:]} == {state}


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([["a", "b"], ["c"]], [(0, 2), (0, 2), (1, 1), (None, None)]),
        ([{"id": 7, "faces": ["a"]}, {"id": 8, "faces": ["b", "c"]}], [(0, 1), (1, 2), (1, 2), (None, None)]),
        (["a", "b"], None),
        ([], None),
        ([[["a"]]], None),
    ],
)
def test_groups_are_told_by_face_as_far_as_their_shape_is_understood(
    groups: Any, told: list[tuple[Any, Any]] | None
) -> None:
    found = groups_of({"result": {"ticket_result": {"groups": groups}}}, ["a", "b", "c", "d"])
    assert (found and [(one["group"], one["group_size"]) for one in found]) == told


def test_a_wrong_key_stops_the_following_and_the_right_one_goes_on(imagga: Served) -> None:
    settings = imagga.to()
    del settings["name"]
    Path("destinations").mkdir()
    Path("destinations/faces.yaml").write_text(json.dumps(settings))
    haulier.send("faces", FACES, credential=imagga.credential, follow=False, run_key="k")
    wrong = imagga.credential | {"api_secret": "wrong"}
    stopped = haulier.follow("faces", credential=wrong)
    assert (stopped.accepted, stopped.exit_code) == (6, 5)
    assert stopped.note.startswith("following stopped: the service answered 401")
    assert haulier.follow("faces", credential=imagga.credential).delivered == 6


def test_a_run_that_finished_with_jobs_left_goes_on_with_them_by_the_same_call(imagga: Served) -> None:
    first = haulier.send(imagga.to(), FACES, credential=imagga.credential, follow=False, run_key="k")
    assert first.accepted == 6
    again = haulier.send(imagga.to(), FACES, credential=imagga.credential, run_key="k")
    assert (again.run_id, again.delivered, again.accepted) == (first.run_id, 6, 0)
    assert sum(one.method == "POST" for one in imagga.emulator.requests) == 1, "no second job"


def test_tickets_of_another_server_are_not_asked_for_here(imagga: Served) -> None:
    settings = imagga.to()
    del settings["name"]
    Path("destinations").mkdir()
    path = Path("destinations/faces.yaml")
    path.write_text(json.dumps(settings))
    haulier.send("faces", FACES, credential=imagga.credential, follow=False, run_key="k")
    path.write_text(json.dumps(settings | {"base_url": "http://127.0.0.1:9"}))
    with pytest.raises(
        haulier.ConfigurationError, match=r"the destination leads to http://127\.0\.0\.1:9 now"
    ):
        haulier.follow("faces", credential=imagga.credential | {"origins": ["http://127.0.0.1:9"]})
    assert imagga.polls == 0


def test_jobs_are_followed_when_records_are_written_one_by_one(imagga: Served) -> None:
    with haulier.open_run(imagga.to(), credential=imagga.credential) as run:
        run.write(FACES)
    assert run.report is not None
    assert (run.report.delivered, run.report.accepted, imagga.polls) == (6, 0, 1)


def test_in_a_chain_a_job_is_followed_while_it_runs_and_not_by_follow(imagga: Served) -> None:
    chain = imagga.to()
    for name in ("name", "endpoint"):
        del chain[name]
    chain["stages"] = [
        {"name": "train", "endpoint": "train-people", "params": {"index_id": "staff"}},
        {"name": "usage", "endpoint": "usage"},
    ]
    Path("destinations").mkdir()
    Path("destinations/chain.yaml").write_text(json.dumps(chain))
    feed = imagga.to(
        endpoint="feed-people", params={"index_id": "staff", "people": "{record.people}"}, outputs=[]
    )
    assert haulier.send(feed, [{"people": {"anna": ["face-1"]}}], credential=imagga.credential).ok
    report = haulier.send("chain", [{"sku": "p1"}], credential=imagga.credential, run_key="k")
    assert (report.ok, report.delivered, imagga.polls) == (True, 2, 1)
    (line,) = lines()
    assert (line["stage"], line["state"]) == ("usage", "delivered")
    with pytest.raises(haulier.ConfigurationError, match="is a chain, whose jobs are followed while it runs"):
        haulier.follow("chain", credential=imagga.credential)


def test_a_lost_answer_is_asked_for_again_when_a_person_says_so(imagga: Served) -> None:
    """A proxy answered 502 and the service never heard of it: the result is still there."""
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", status=502))
    report, _ = followed(imagga)
    assert (report.in_doubt, imagga.polls) == (6, 1)
    again = haulier.follow("faces", credential=imagga.credential, lost=True)
    assert (again.delivered, again.in_doubt, again.accepted, again.lost, again.exit_code) == (6, 0, 0, 0, 0)
    assert imagga.polls == 2
    assert list(dead_letters("faces")) == []
    states = [line["state"] for line in lines()]
    assert states == ["accepted", "in_doubt"] + ["delivered"] * 6
    assert len({line["id"] for line in lines()}) == 8


def test_what_is_really_gone_stays_in_doubt(imagga: Served) -> None:
    imagga.emulator.faults.add(Fault(path="/v2/tickets/*", drop="unanswered"))
    followed(imagga)
    again = haulier.follow("faces", credential=imagga.credential, lost=True)
    assert (again.delivered, again.in_doubt, again.accepted, again.lost) == (0, 6, 0, 0)
    assert "no longer there" in next(iter(dead_letters("faces"))).reason


BETWEEN = (["runs"], ["report", "faces"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_ends_while_it_waits_for_a_job_goes_on_by_the_same_command(
    how: signal.Signals, imagga: Served, tmp_path: Path
) -> None:
    """A crash between two questions loses nothing: the job is asked for again, and sent once only."""
    settings = imagga.emulator.service.settings
    imagga.emulator.service.settings = replace(settings, polls=99)
    destination = imagga.to(credential="mine")
    del destination["name"]
    Path("destinations").mkdir()
    Path("destinations/faces.yaml").write_text(json.dumps(destination))
    Path("faces.jsonl").write_text("".join(json.dumps(face) + "\n" for face in FACES))
    kind = load_registry().credential_type("imagga")
    values = {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET}
    CredentialStore(tmp_path / ".haulier" / "credentials.json").add("mine", kind, values, [imagga.url])
    command = [sys.executable, "-m", "haulier", "run", "faces", "--records", "faces.jsonl", "--activate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        # The second answer is in the ledger while the third question is waited for, 4 s.
        until = time.monotonic() + 60
        while asked() != (2, 0) and time.monotonic() < until:
            time.sleep(0.05)
        process.send_signal(how)
        told, _ = process.communicate(timeout=60)
    assert imagga.polls == 2, told
    if how != signal.SIGKILL:
        assert process.returncode == 128 + how, told
        assert f"following stopped: interrupted by {how.name}" in told
    imagga.emulator.service.tickets.finish()
    if how == signal.SIGKILL:
        runs, told = (subprocess.check_output([*command[:3], *words], text=True) for words in BETWEEN)
        assert "finished, accepted left" in runs
        assert " s; 6 accepted, not at their end\n" in told
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["delivered"], report["accepted"], report["in_doubt"]) == (6, 0, 0)
    assert (report["repeated"], report["note"]) == (
        True,
        "this very input was carried there before; nothing was sent (--again repeats it, again=True in Python); "
        "the jobs of 6 records that were accepted then were followed",
    )
    assert sum(one.method == "POST" for one in imagga.emulator.requests) == 1
