"""Runs with outputs: a slow or dead one delays nothing but the end, and gets the rest with the next sitting."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, rows, within, write_records
from tests.core.runs.wire import Asked, Stall, Wire, answer
from tests.ports import free_port

import haulier
from haulier.errors import ConfigurationError, CredentialError, RunStopped
from haulier.io.activation import pause
from haulier.io.credentials import CredentialStore, credential_types
from haulier.io.ledger.store import Ledger
from haulier.runs.outputs import owing

HMAC = next(kind for kind in credential_types() if kind.name == "hmac")


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owing, "_FIRST_WAIT_S", 0.02)


def hook(url: str, **settings: Any) -> dict[str, Any]:
    return {"to": "webhook", "url": url, "patience_s": 30, **settings}


def dead_hook(url: str, **settings: Any) -> dict[str, Any]:
    """One that nothing is expected of: it is waited for half a second."""
    return hook(url, **{"patience_s": 0.5, **settings})


def send(url: str, source: Any = "in.jsonl", **written: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination(url, key="id", **written), source, state="state"))


def keys_of(wire: Wire) -> list[Any]:
    return [json.loads(body)["key"] for body in wire.bodies]


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_bytes().splitlines()]


def test_a_dead_webhook_holds_no_delivery_up_and_gets_all_with_the_next_sitting(folder: Path) -> None:
    write_records(folder / "in.jsonl", 50)
    working, all_sent = threading.Event(), threading.Event()
    held_up: list[bool] = []

    def take(asked: Asked) -> bytes:
        if asked.number == 49:
            all_sent.set()
        return answer()

    def receive(asked: Asked) -> bytes:
        if not held_up:
            held_up.append(not all_sent.wait(30))
        return answer(200 if working.is_set() else 503)

    with Wire(take) as wire, Wire(receive) as there:
        file = {"to": "jsonl", "path": "out.jsonl"}
        report = send(wire.url, outputs=[dead_hook(there.url), file])
        assert (report.state, counts(report), report.exit_code) == ("stopped", {"delivered": 50}, 3)
        assert report.reason == (
            f"output 1 (webhook) took nothing for 0.5 s ({there.url}/ answered 503): 50 lines are kept for it, "
            "and the same call hands them over"
        )
        assert held_up == [False], "all are sent before the webhook says anything"
        assert len(lines("out.jsonl")) == 50
        assert rows(folder / "state", "select output, count(*) from owed group by output") == [(0, 50)]
        working.set()
        before = len(there.asked)
        again = send(wire.url, outputs=[hook(there.url), file])
        assert (again.run_id, again.state, counts(again)) == (report.run_id, "finished", {"delivered": 50})
        assert len(wire.asked) == 50
        assert sorted(keys_of(there)[before:]) == list(range(50))
        assert len(lines("out.jsonl")) == 50
        assert rows(folder / "state", "select count(*) from owed") == [(0,)]


def test_a_webhook_that_is_not_there_is_named_with_why(folder: Path) -> None:
    gone = f"127.0.0.1:{free_port()}"
    with Wire() as wire:
        report = send(wire.url, records(3), outputs=[dead_hook(f"http://{gone}")])
    assert report.state == "stopped"
    assert f"({gone}: " in report.reason


def test_a_slow_webhook_is_waited_for_and_holds_up_neither_deliveries_nor_the_file() -> None:
    with Wire() as wire, Wire(delay_s=0.05) as slow:
        report = send(
            wire.url,
            records(30),
            outputs=[hook(slow.url), {"to": "jsonl", "path": "out.jsonl"}],
        )
        assert (report.state, len(slow.asked)) == ("finished", 30)
        assert slow.asked[-1].at - wire.asked[-1].at > 0.5
        assert time.time() - Path("out.jsonl").stat().st_mtime > 0.5


def test_the_very_same_request_comes_until_it_is_taken_and_in_order() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(200) if asked.number % 3 == 2 else answer(500)

    with Wire() as wire, Wire(reply) as there:
        assert send(wire.url, records(5), limits={"max_in_flight": 1}, outputs=[hook(there.url)]).ok
        assert [there.bodies[at : at + 3].count(there.bodies[at]) for at in range(0, 15, 3)] == [3] * 5
        assert len({asked.header("idempotency-key") for asked in there.asked}) == 5
        assert keys_of(there)[::3] == [0, 1, 2, 3, 4]


def test_retry_after_of_a_webhook_is_waited_for() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(200) if asked.number else answer(429, Retry_After="1")

    with Wire() as wire, Wire(reply) as there:
        assert send(wire.url, records(1), outputs=[hook(there.url)]).ok
        assert there.asked[1].at - there.asked[0].at >= 1


def test_failures_of_every_kind_are_told(folder: Path) -> None:
    (folder / "in.jsonl").write_text('{"id":0}\n{"id":\n{"id":2}\n[]\n{"id":4,"at":"/../x"}\n')

    def reply(asked: Asked) -> bytes:
        return (
            answer(422, b'{"error":"no such thing"}') if b'"id":2' in asked.body else answer(200, b'{"n":7}')
        )

    with Wire(reply) as wire, Wire() as there:
        report = send(wire.url, limits={"max_in_flight": 1}, outputs=[hook(there.url, batch=10)])
        assert counts(report) == {"delivered": 2, "rejected": 3}
        told = {line["positions"][0]: line for body in there.bodies for line in json.loads(body)}
    assert {at: (line["state"], line["status"], line["key"]) for at, line in told.items()} == {
        0: ("delivered", 200, 0),
        1: ("rejected", None, None),
        2: ("rejected", 422, 2),
        3: ("rejected", None, None),
        4: ("delivered", 200, 4),
    }
    assert (told[1]["text"], told[3]["text"]) == ('{"id":', "[]")
    assert told[2]["answer"]["body"] == {"error": "no such thing"}
    assert "no such thing" in told[2]["reason"]
    assert (told[0]["answer"]["body"], told[0]["id"]) == ({"n": 7}, f"{report.run_id}:{told[0]['request']}")


def test_a_record_that_is_no_text_is_told_as_what_can_be_read_of_it(folder: Path) -> None:
    (folder / "in.jsonl").write_bytes(b'{"id":1}\n{"id":"\xff"}\n')
    with Wire() as wire:
        report = send(wire.url, outputs=[{"to": "jsonl", "path": "out.jsonl"}])
    assert (report.state, counts(report)) == ("finished", {"delivered": 1, "rejected": 1})
    (told,) = [line for line in lines("out.jsonl") if line["state"] == "rejected"]
    assert (told["text"], "record" in told) == ('{"id":"\ufffd"}', False)


def test_each_output_gets_what_it_asked_for_and_no_more() -> None:
    with Wire(lambda asked: answer(200, b'{"n":7}')) as wire, Wire() as there:
        outputs = [
            {"to": "jsonl", "path": "plain.jsonl"},
            {"to": "jsonl", "path": "more.jsonl", "include": ["note"], "answer": True},
            hook(there.url, answer=False),
        ]
        assert send(wire.url, [{"id": 1, "note": "n", "x": 2}], exclude=["note", "x"], outputs=outputs).ok
        (plain,), (more,), (posted,) = (
            lines("plain.jsonl"),
            lines("more.jsonl"),
            map(json.loads, there.bodies),
        )
    assert (plain["record"], "answer" in plain) == ({"id": 1}, False)
    assert (more["record"], more["answer"]["body"]) == ({"id": 1, "note": "n"}, {"n": 7})
    assert posted == plain


def test_a_signed_webhook_is_bound_to_its_origin_before_anything_is_sent(folder: Path) -> None:
    store = CredentialStore(folder / ".haulier" / "credentials.json")
    with Wire() as wire, Wire() as there:
        store.add("signer", HMAC, {"secret": "s3cret-of-the-hook"}, ["https://elsewhere.example"])
        with pytest.raises(
            CredentialError, match=r"outputs webhook: credential `signer` is bound to"
        ) as caught:
            send(wire.url, records(1), outputs=[hook(there.url, credential="signer")])
        with pytest.raises(CredentialError, match="outputs webhook: "):
            send(wire.url, records(1), outputs=[hook(there.url, credential="nobody")])
        assert "s3cret" not in str(caught.value)
        (problem,) = haulier.check(
            destination(wire.url, outputs=[hook(there.url, credential="signer")])
        ).problems
        assert "signer" in problem
        assert (wire.asked, there.asked) == ([], [])
        store.add("bound", HMAC, {"secret": "s3cret-of-the-hook"}, [there.url])
        given = [{"id": "s3cret-of-the-hook"}]
        assert send(wire.url, given, outputs=[hook(there.url, credential="bound")]).ok
        assert "v1=" in (there.asked[0].header("haulier-signature") or "")
        assert b"s3cret" not in there.asked[0].head + there.asked[0].body
    kept = (folder / "state" / "d" / "ledger.db").read_bytes()
    assert b"s3cret-of-the-hook" not in kept


def test_while_lines_are_kept_outputs_stay_where_they_are_but_may_be_mended(folder: Path) -> None:
    write_records(folder / "in.jsonl", 3)
    with Wire() as wire, Wire(lambda asked: answer(404)) as wrong, Wire() as right:
        file = {"to": "jsonl", "path": "out.jsonl"}
        assert send(wire.url, outputs=[file, dead_hook(wrong.url)]).state == "stopped"
        for other in ([file], [hook(right.url), file], []):
            with pytest.raises(
                ConfigurationError, match=r"keeps 3 lines for its output 2; its outputs were: jsonl, "
            ):
                send(wire.url, outputs=other)
        assert send(wire.url, outputs=[file, hook(right.url)]).ok
        assert keys_of(right) == keys_of(wrong)[:1] + keys_of(right)[1:]
        assert sorted(keys_of(right)) == [0, 1, 2]


@pytest.mark.alone
def test_a_pause_while_outputs_are_waited_for_ends_the_run_within_two_seconds(folder: Path) -> None:
    write_records(folder / "in.jsonl", 3)
    with Wire() as wire, Wire(lambda asked: Stall(30)) as there:
        state = folder / "state" / "d"

        def later() -> None:
            while not (state / "ledger.db").exists() or len(wire.asked) < 3:
                time.sleep(0.01)
            time.sleep(0.3)
            paused.append(time.monotonic())
            pause(state)

        paused: list[float] = []
        thread = threading.Thread(target=later)
        thread.start()
        report = send(wire.url, outputs=[hook(there.url, patience_s=60)])
        assert time.monotonic() - paused[0] < 2
        thread.join()
    assert (report.state, counts(report)) == ("stopped", {"delivered": 3})
    assert "paused" in report.reason


def test_lines_that_do_not_fit_in_memory_come_from_the_ledger(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owing, "_MOST_LINES", 5)
    monkeypatch.setattr(owing, "_READ_LINES", 7)
    write_records(folder / "in.jsonl", 300)
    with Wire() as wire, Wire() as there:
        outputs = [{"to": "jsonl", "path": "out.jsonl"}, hook(there.url, batch=20)]
        assert send(wire.url, outputs=outputs).ok
        posted = [line["id"] for body in there.bodies for line in json.loads(body)]
    assert posted == [line["id"] for line in lines("out.jsonl")]
    assert len(set(posted)) == 300


def test_outputs_of_a_chain_get_every_line_however_many_commits_are_durable_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_all = Ledger.commit_all

    def slowly(ledger: Ledger, commits: Any) -> None:
        time.sleep(0.02)  # as a disk that is slow: commits of both stages gather meanwhile
        commit_all(ledger, commits)

    def service(asked: Asked) -> bytes:
        bad = asked.target == "/make" and json.loads(asked.body)["id"] % 3 == 0
        return answer(400 if bad else 200)

    monkeypatch.setattr(Ledger, "commit_all", slowly)
    with Wire(service) as wire, Wire() as there:
        stages = [
            {"name": name, "request": {"method": "POST", "url": f"{wire.url}/{name}"}}
            for name in ("make", "fill")
        ]
        chain = {
            "name": "d",
            "key": "id",
            "stages": stages,
            "outputs": [{"to": "jsonl", "path": "out.jsonl"}, hook(there.url, batch=50)],
        }
        report = within(60, lambda: haulier.send(chain, records(700), state="state"))
        posted = [line["key"] for body in there.bodies for line in json.loads(body)]
    assert (report.state, [one.rejected for one in report.stages]) == ("finished", [234, 0])
    assert posted == [line["key"] for line in lines("out.jsonl")]
    assert sorted(posted) == list(range(700))
    assert rows(folder / "state", "select count(*) from owed") == [(0,)]


def test_a_run_does_not_end_as_long_as_lines_are_kept_for_its_outputs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(folder / "in.jsonl", 3)
    outputs = [{"to": "jsonl", "path": "out.jsonl"}]
    with Wire() as wire:
        with monkeypatch.context() as forgetful:
            forgetful.setattr(owing.Owing, "durable", lambda self, commit: None)
            report = send(wire.url, outputs=outputs)
        assert (report.state, report.reason) == (
            "stopped",
            "3 lines are kept for its outputs; the same call hands them over",
        )
        again = send(wire.url, outputs=outputs)
        assert (again.run_id, again.state, len(wire.asked)) == (report.run_id, "finished", 3)
    assert sorted(line["key"] for line in lines("out.jsonl")) == [0, 1, 2]


def test_lines_that_a_finished_run_owes_are_handed_over_by_the_same_call(folder: Path) -> None:
    write_records(folder / "in.jsonl", 3)
    working = threading.Event()
    with Wire() as wire, Wire(lambda asked: answer(200 if working.is_set() else 503)) as there:
        outputs = [dead_hook(there.url), {"to": "jsonl", "path": "out.jsonl"}]
        run_id = send(wire.url, outputs=outputs).run_id
        with closing(Ledger.create(folder / "state" / "d")) as ledger:
            (run,) = ledger.runs()
            ledger.end(run, state="finished", reason="", ended=time.time())
        with pytest.raises(
            ConfigurationError, match=r"finished and keeps 3 .* in this order to hand them over$"
        ):
            send(wire.url, outputs=outputs[::-1])
        with pytest.raises(
            RunStopped, match=r"finished, but its outputs lack lines: output 1 \(webhook\) took"
        ):
            send(wire.url, outputs=outputs)
        working.set()
        before = len(there.asked)
        outputs[0] = hook(there.url)
        again = send(wire.url, outputs=outputs)
        assert (again.run_id, again.state, len(wire.asked)) == (run_id, "finished", 3)
        assert again.note.endswith("; 3 lines that were kept for its outputs were handed over")
        assert sorted(keys_of(there)[before:]) == [0, 1, 2]
        assert "handed over" not in send(wire.url, outputs=outputs).note
    assert rows(folder / "state", "select count(*) from owed") == [(0,)]


def test_an_output_that_hangs_in_a_send_does_not_keep_the_run() -> None:
    with Wire() as wire, Wire(lambda asked: Stall(30)) as there:
        began = time.monotonic()
        report = send(wire.url, records(2), outputs=[dead_hook(there.url, patience_s=0.2)])
        assert report.state == "stopped"
        assert time.monotonic() - began < 20
        assert "took nothing for 0.2 s: 2 lines" in report.reason
