"""What a run read is compared by the hash that it was begun with, whichever a new run would take."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from tests.core.runs.carrying import counts, destination, records, rows, within, write_records
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier
from haulier.errors import ConfigurationError, InputError

COUNT = 400
CARRY = """
import json, sys
if sys.argv[2] == "without":
    sys.modules["blake3"] = None
import haulier
run_key = sys.argv[3] or None
try:
    report = haulier.send(json.loads(sys.argv[1]), "in.jsonl", state="state", run_key=run_key)
except haulier.HaulierError as error:
    print(json.dumps([type(error).__name__, str(error)]))
else:
    print(json.dumps([report.state, report.run_id, report.repeated, report.delivered]))
"""


def carried(
    wire: Wire, blake3_is: str, *, run_key: str = "", planned: str = "here", **written: Any
) -> list[Any]:
    """What a process comes to that carries `in.jsonl`, with the module or without it."""
    made = json.dumps(destination(wire.url, batching={"size": 10}, **written))
    done = subprocess.run(
        [sys.executable, "-c", CARRY, made, blake3_is, run_key],
        env={**os.environ, "HAULIER_PLANNING": planned},
        timeout=60,
        check=True,
        capture_output=True,
    )
    assert done.stderr == b""
    told: list[Any] = json.loads(done.stdout)
    return told


def stored() -> list[bytes]:
    """The digests of all runs, the oldest first."""
    return [digest for (digest,) in rows(Path("state"), "select digest from run order by id")]


def digest_by(blake3_is: str, text: bytes) -> bytes:
    if blake3_is == "without":
        return hashlib.sha256(text).digest()
    return b"\x1e\x20" + blake3(text).digest()


def stops_after(count: int) -> tuple[Any, threading.Event]:
    """Answers well so often, then with 401 until the event is set."""
    mended = threading.Event()

    def reply(asked: Asked) -> Answer:
        return answer() if asked.number < count or mended.is_set() else answer(401)

    return reply, mended


def ids_of(wire: Wire) -> list[int]:
    return sorted(record["id"] for body in wire.bodies for record in json.loads(body))


def ids_of_each(wire: Wire) -> list[int]:
    return sorted(json.loads(body)["id"] for body in wire.bodies)


@pytest.mark.parametrize("planned", ["here", "beside"])
@pytest.mark.parametrize(("begun", "later"), [("with", "with"), ("without", "with"), ("without", "without")])
def test_a_run_goes_on_and_is_told_again_by_the_hash_it_was_begun_with(
    begun: str, later: str, planned: str
) -> None:
    """A run that knew SHA-256 alone is what earlier versions left."""
    text = write_records(Path("in.jsonl"), COUNT).read_bytes()
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        state, run_id, *_ = carried(wire, begun, planned=planned)
        assert (state, len(stored()[0])) == ("stopped", 34 if begun == "with" else 32)
        mended.set()
        assert carried(wire, later, planned=planned) == ["finished", run_id, False, COUNT]
        assert stored() == [digest_by(begun, text)]
        asked = len(wire.asked)
        assert carried(wire, later, planned=planned) == ["finished", run_id, True, COUNT]
        assert len(wire.asked) == asked
        assert carried(wire, begun, planned=planned) == ["finished", run_id, True, COUNT]
        # Another input at the end of a finished run is another one by that very hash.
        Path("in.jsonl").write_bytes(text[:-3] + b"8}\n")
        assert carried(wire, later, run_key="other")[0] == "finished"
        assert stored()[1] == digest_by(later, text[:-3] + b"8}\n")


@pytest.mark.parametrize("begun", ["with", "without"])
@pytest.mark.parametrize("key", ["mine", ""])
def test_another_input_is_known_by_either_hash(begun: str, key: str) -> None:
    text = write_records(Path("in.jsonl"), COUNT).read_bytes()
    # The same size and edges would be needed to be a candidate without a key: a larger input, changed in its middle.
    text = text.replace(b"}", b',"text":"' + b"x" * 8_000 + b'"}')
    Path("in.jsonl").write_bytes(text)
    reply, mended = stops_after(25)
    middle = text.replace(b'"id":152,', b'"id":777,')
    with Wire(reply) as wire:
        _, run_id, *_ = carried(wire, begun, run_key=key)
        asked = len(wire.asked)
        mended.set()
        Path("in.jsonl").write_bytes(middle)
        told = carried(wire, "with", run_key=key)
        if key:
            title = "BLAKE3" if begun == "with" else "SHA-256"
            assert told[0] == "InputChanged"
            assert told[1].count(f"{title} ") == 1
            assert run_id in told[1]
            assert len(wire.asked) == asked
            Path("in.jsonl").write_bytes(text)
            assert carried(wire, "with", run_key=key) == ["finished", run_id, False, COUNT]
            Path("in.jsonl").write_bytes(middle)
            assert carried(wire, "with", run_key=key) == ["finished", run_id, True, COUNT]
        else:
            assert (told[0], told[2:], told[1] != run_id) == ("finished", [False, COUNT], True)
            assert stored()[1] == digest_by("with", middle)


@pytest.mark.parametrize("key", ["mine", ""])
def test_where_the_hash_is_not_installed_nothing_is_taken_for_another_input(key: str) -> None:
    """Neither a run that is to go on nor one whose report is to be shown again; both do once it is there."""
    write_records(Path("in.jsonl"), COUNT)
    reply, mended = stops_after(3)
    way_out = "pip install 'haulier[fast]', then give the same command again"
    with Wire(reply) as wire:
        _, run_id, *_ = carried(wire, "with", run_key=key)
        mended.set()
        for state in ("unfinished", "finished"):
            asked, left = (
                len(wire.asked),
                rows(Path("state"), "select * from run, request order by request.id"),
            )
            error, told = carried(wire, "without", run_key=key)
            assert error == "ConfigurationError"
            assert told == (
                f"run {run_id} of this input is {state}, and what it read was hashed by BLAKE3, which is not installed "
                f"here, so whether this is the same input cannot be told. Nothing was sent: {way_out}"
            )
            assert len(wire.asked) == asked
            assert rows(Path("state"), "select * from run, request order by request.id") == left
            assert carried(wire, "with", run_key=key) == ["finished", run_id, state == "finished", COUNT]
        assert ids_of(wire)[-1] == COUNT - 1


def test_a_process_that_plans_and_cannot_hash_as_its_run_does_leaves_it_to_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told where modules come from; what cannot be imported there was imported here before."""
    path = write_records(Path("in.jsonl"), COUNT)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "blake3.py").write_text('raise ImportError("for another machine")')
    monkeypatch.syspath_prepend(tmp_path / "broken")
    monkeypatch.setenv("HAULIER_PLANNING", "beside")
    with Wire() as wire:
        report = within(60, lambda: haulier.send(destination(wire.url), path, state="state"))
        assert (counts(report), ids_of_each(wire)) == ({"delivered": COUNT}, list(range(COUNT)))
    assert stored() == [digest_by("with", path.read_bytes())]


@pytest.mark.parametrize("again", [{"again": True}, {"run_key": "another"}])
def test_without_the_hash_another_run_of_the_same_input_is_not_held_back(
    again: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_records(Path("in.jsonl"), COUNT)
    with Wire() as wire:
        made = destination(wire.url, batching={"size": 10})
        within(60, lambda: haulier.send(made, path, state="state"))
        monkeypatch.setitem(sys.modules, "blake3", None)
        report = within(60, lambda: haulier.send(made, path, state="state", **again))
    assert (report.repeated, counts(report)) == (False, {"delivered": COUNT})
    assert [len(digest) for digest in stored()] == [34, 32]


@pytest.mark.parametrize(
    "written",
    [
        {"batching": {"size": 10}},
        {"stages": True},
    ],
    ids=["plain", "chain"],
)
def test_records_that_are_given_again_are_compared_by_the_hash_of_their_run(
    written: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        made = destination(wire.url, **written)
        if written.pop("stages", None):
            request = made.pop("request")
            stages = [
                {"name": "first", "request": request, "batching": {"size": 10}},
                {"name": "second", "request": {**request, "url": f"{wire.url}/y"}},
            ]
            made = {**made, "stages": stages}
            made.pop("batching", None)

        def send(given: list[dict[str, Any]]) -> haulier.Report:
            return within(60, lambda: haulier.send(made, iter(given), state="state", run_key="mine"))

        with monkeypatch.context() as without:
            without.setitem(sys.modules, "blake3", None)
            first = send(records(COUNT))
        assert (first.state, len(stored()[0])) == ("stopped", 32)
        mended.set()
        with pytest.raises(InputError, match="differ from those this run has read"):
            send([{"id": -1}, *records(COUNT)[1:]])
        assert send(records(COUNT)).state == "finished"
    text = b"".join(b'{"id":%d}\n' % number for number in range(COUNT))
    assert stored()[0] == digest_by("without", text)


MANY = 10**6


class Service:
    """Refuses all records at first; later it takes requests, from the one numbered `after` on without credentials."""

    def __init__(self) -> None:
        self.refusing = True
        self.after = MANY

    def reply(self, asked: Asked) -> Answer:
        if self.refusing:
            return answer(422)
        return answer() if asked.number < self.after else answer(401)


def test_a_replay_goes_on_by_its_own_hash_and_finds_mended_records_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What finds an unfinished replay again is the same with the extra and without it."""
    service = Service()
    with Wire(service.reply) as wire:
        made = destination(wire.url)
        first = within(60, lambda: haulier.send(made, records(15), state="state"))
        assert counts(first) == {"rejected": 15}
        lines = [{"run_id": first.run_id, "position": at, "record": {"id": -at}} for at in range(15)]
        Path("mend.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        service.refusing, service.after = False, len(wire.asked) + 3

        def replay() -> haulier.Report:
            return within(60, lambda: haulier.replay(made, records="mend.jsonl", state="state"))

        with monkeypatch.context() as without:
            without.setitem(sys.modules, "blake3", None)
            stopped = replay()
        assert (stopped.state, len(stored()[1])) == ("stopped", 32)
        service.after = MANY
        finished = replay()
        assert (finished.run_id, finished.state, finished.delivered) == (stopped.run_id, "finished", 15)
        assert len(stored()[1]) == 32


def test_a_replay_whose_hash_is_not_installed_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    with Wire(service.reply) as wire:
        made = destination(wire.url)
        within(60, lambda: haulier.send(made, records(15), state="state"))
        service.refusing, service.after = False, len(wire.asked) + 3
        stopped = within(60, lambda: haulier.replay(made, state="state"))
        assert (stopped.state, len(stored()[1])) == ("stopped", 34)
        service.after = MANY
        asked = len(wire.asked)
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "blake3", None)
            with pytest.raises(
                ConfigurationError, match=rf"run {stopped.run_id} .*pip install 'haulier\[fast\]'"
            ):
                within(60, lambda: haulier.replay(made, state="state"))
        assert len(wire.asked) == asked
        finished = within(60, lambda: haulier.replay(made, state="state"))
        assert (finished.run_id, finished.delivered) == (stopped.run_id, 15)
