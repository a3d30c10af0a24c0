"""`haulier run`: off until activated, accounted for to the last record, resumable, and honest in its exit code."""

from __future__ import annotations

import json
import shlex
import signal
import threading
import time

import pytest
from tests.cli.running import Project, Result, Server, wait_for
from tests.commands import REPOSITORY

from haulier.cli.printing import seconds_text

COUNTS = ("read", "pending", "sending", "delivered", "accepted", "rejected", "in_doubt")


def counts(told: Result) -> dict[str, int]:
    return {name: told.json[name] for name in COUNTS}


def all_delivered(count: int) -> dict[str, int]:
    return {**dict.fromkeys(COUNTS, 0), "read": count, "delivered": count}


def test_nothing_is_sent_until_a_destination_is_activated_and_pause_undoes_it(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/x")
    run = ("run", "orders", "--records", project.records(2))
    told = project.run(*run)
    assert (told.code, told.out, server.seen) == (2, "", [])
    assert told.err == (
        "haulier: destination `orders` was never activated, so nothing is sent; "
        "switch it on with: haulier activate orders\n"
    )
    assert "destination orders is active since" in project.run("activate", "orders").out
    assert project.run(*run).code == 0
    assert project.run("pause", "orders", "--json").json["state"] == "paused"
    told = project.run(*run, "--again")
    assert (told.code, len(server.seen)) == (2, 2)
    assert "destination `orders` was paused" in told.err
    assert project.run(*run, "--again", "--activate").code == 0
    assert len(server.seen) == 4


def test_a_broken_destination_is_not_activated_by_the_way(project: Project) -> None:
    project.destination("broken", "request: {method: POST, url: 'ftp://x'}\n")
    assert project.run("run", "broken", "--records", project.records(1), "--activate").code == 2
    assert project.run("destination", "list", "--json").json["destinations"][0]["activation"] == "new"


def test_a_run_tells_its_counts_and_the_very_input_is_not_carried_twice(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/x", "key: sku\n")
    run = ("run", "orders", "--records", project.records(3), "--activate")
    told = project.run(*run, "--json")
    assert (told.code, counts(told)) == (0, all_delivered(3))
    assert {
        name: told.json[name]
        for name in ("shape", "state", "destination", "source", "attempts", "ok", "repeated")
    } == {
        "shape": 1,
        "state": "finished",
        "destination": "orders",
        "source": "records.jsonl",
        "attempts": 3,
        "ok": True,
        "repeated": False,
    }
    assert told.err == f"run {told.json['run_id']} of orders (run key {told.json['run_key']})\n"
    again = project.run(*run)
    assert (again.code, len(server.seen)) == (0, 3)
    assert "read  delivered  accepted  rejected  in doubt  pending  attempts\n" in again.out
    assert "   3          3         0         0         0        0         3\n" in again.out
    assert "nothing was sent (--again repeats it, again=True in Python)" in again.out


def test_the_next_run_says_what_changed(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    assert project.run("run", "orders", "--records", project.records(1), "--activate").code == 0
    project.post("orders", f"{server.url}/x", "exclude: [n]\n")
    told = project.run("run", "orders", "--records", "records.jsonl")
    assert (told.code, server.bodies[-1]) == (0, {"sku": "S-0"})
    assert 'changed since the last run: exclude: not set -> ["n"]\n' in told.err
    assert "changed" not in project.run("run", "orders", "--records", "records.jsonl").err


def test_rejected_records_end_with_4_and_the_way_to_them(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (
        (422, {}, b'{"why": "no"}') if b'"n":1' in body.replace(b" ", b"") else (200, {}, b"{}")
    )
    project.post("orders", f"{server.url}/x", "key: sku\n")
    told = project.run("run", "orders", "--records", project.records(3), "--activate")
    assert told.code == 4
    assert "rejected, and why: haulier dead-letters list orders\n" in told.out
    listed = project.run("dead-letters", "list", "orders")
    assert [line.split()[1:4] for line in listed.out.splitlines()[1:]] == [["1", "S-1", "rejected"]]
    assert "422" in listed.out
    shown = project.run("dead-letters", "show", "orders", "1")
    assert shown.out.endswith('\n\n{"sku": "S-1", "n": 1}\n')
    assert project.run("dead-letters", "show", "orders", "0").code == 2
    exported = project.run("dead-letters", "export", "orders")
    assert (exported.out, exported.err) == ('{"sku": "S-1", "n": 1}\n', "1 records written\n")
    run_id = project.run("runs", "--json").json["runs"][0]["run_id"]
    explained = json.loads(project.run("dead-letters", "export", run_id[:8], "--json").out)
    assert {name: explained[name] for name in ("shape", "position", "key", "state", "run_id")} == {
        "shape": 1,
        "position": 1,
        "key": "S-1",
        "state": "rejected",
        "run_id": run_id,
    }
    assert project.run("dead-letters", "export", "orders", "-o", "mend.jsonl").code == 0
    assert (project.root / "mend.jsonl").read_text() == '{"sku": "S-1", "n": 1}\n'
    assert project.run("dead-letters", "export", "orders", "-o", "mend.jsonl").code == 2
    report = project.run("report", run_id[:6], "--json").json
    assert (report["rejected"], [one["records"] for one in report["reasons"]]) == (1, [1])


def test_accepted_records_end_with_5_and_their_tickets_stand_in_the_report(
    project: Project, server: Server
) -> None:
    server.reply = lambda path, body: (202, {}, b'{"ticket": "T-1"}')
    project.post("orders", f"{server.url}/x", "verdicts: {202: accepted}\n")
    told = project.run("run", "orders", "--records", project.records(1), "--activate", "--json")
    assert (told.code, told.json["accepted"]) == (5, 1)


def test_a_run_with_rejected_records_ends_with_4_whatever_else_became_of_others(
    project: Project, server: Server
) -> None:
    """The page says so: a 5 promises that none was rejected."""
    said = {b"S-1": 400, b"S-2": 299, b"S-3": 202}
    server.reply = lambda path, body: (next((said[of] for of in said if of in body), 200), {}, b"?")
    project.post("orders", f"{server.url}/x", "verdicts: {299: unknown, 202: accepted}\n")
    told = project.run("run", "orders", "--records", project.records(4), "--activate", "--json")
    states = ("delivered", "rejected", "in_doubt", "accepted")
    assert (told.code, [told.json[state] for state in states]) == (4, [1, 1, 1, 1])
    page = (REPOSITORY / "docs" / "troubleshooting.md").read_text()
    meanings = {row.split(" | ")[0]: row for row in page.split("\n| ") if "finished;" in row}
    assert "whether or not others are in doubt or accepted" in meanings["4"]
    assert "none was rejected" in meanings["5"]


def test_what_was_answered_and_not_understood_is_in_doubt_and_ends_with_5(
    project: Project, server: Server
) -> None:
    server.reply = lambda path, body: (299, {}, b"?") if b"S-1" in body else (200, {}, b"{}")
    project.post("orders", f"{server.url}/x", "verdicts: {299: unknown}\n")
    told = project.run("run", "orders", "--records", project.records(2), "--activate")
    assert told.code == 5
    assert "what is in doubt may have arrived" in told.out


def test_a_run_that_stopped_goes_on_with_the_same_command(project: Project, server: Server) -> None:
    broken = True
    server.reply = lambda path, body: (401, {}, b"{}") if broken and b"S-4" in body else (200, {}, b"{}")
    project.post("orders", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    run = ("run", "orders", "--records", project.records(9), "--activate", "--json")
    told = project.run(*run)
    assert (told.code, told.json["state"]) == (3, "stopped")
    broken = False
    on = project.run(*run)
    assert (on.code, counts(on), on.json["run_id"]) == (0, all_delivered(9), told.json["run_id"])
    assert " goes on: " in on.err
    sent = [body["sku"] for body in server.bodies]
    assert sorted(set(sent)) == [f"S-{number}" for number in range(9)]
    assert sent.count("S-0") == 1


def test_a_changed_input_or_changed_settings_of_an_unfinished_run_are_refused(
    project: Project, server: Server
) -> None:
    server.reply = lambda path, body: (401, {}, b"{}") if b"S-1" in body else (200, {}, b"{}")
    project.post("orders", f"{server.url}/x")
    run = ("run", "orders", "--records", project.records(3), "--activate", "--run-key", "night")
    assert project.run(*run).code == 3
    project.post("orders", f"{server.url}/x", "exclude: [n]\n")
    told = project.run(*run)
    assert (told.code, 'exclude: not set -> ["n"]' in told.err) == (2, True)
    project.post("orders", f"{server.url}/x")
    (project.root / "records.jsonl").write_text('{"sku": "other"}\n')
    told = project.run(*run)
    assert (told.code, "night" in told.err) == (2, True)


def test_a_limit_below_zero_is_refused_in_words(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    told = project.run("run", "orders", "--records", project.records(2), "--activate", "--limit", "-1")
    assert (told.code, server.seen) == (2, [])
    assert told.err.endswith("Invalid value for '--limit': '-1' is not a valid whole number of at least 0.\n")


def test_a_report_says_how_its_two_times_belong_together(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (401, {}, b"{}")
    project.post("orders", f"{server.url}/x")
    run = ("run", "orders", "--records", project.records(2), "--activate")
    assert project.run(*run).code == 3
    server.reply = lambda path, body: (200, {}, b"{}")
    assert project.run(*run).code == 0
    told = project.run("report", "orders", "--json").json
    in_all, active = told["ended"] - told["started"], told["figures"]["active_s"]
    assert 0 < active < in_all
    lines = project.run("report", "orders").out.splitlines()
    assert lines[0] == f"run      {told['run_id']} of orders, finished after {seconds_text(in_all)}"
    assert [line for line in lines if line.startswith("time ")] == [
        f"time     {seconds_text(in_all)} from begin to end, of which {seconds_text(active)} under way: all sittings, "
        "without the time between them and without following jobs"
    ]


def test_a_run_key_in_advice_is_one_word_for_the_shell(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (401, {}, b"{}")
    project.post("orders", f"{server.url}/x")
    words = ("run", "orders", "--records", "-", "--format", "jsonl", "--activate", "--run-key", "Schlüssel ✓")
    told = project.run(*words, typed='{"n": 1}\n')
    assert told.code == 3
    advice = next(line for line in told.out.splitlines() if line.startswith("to go on"))
    assert shlex.split(advice)[-2:] == ["--run-key", "Schlüssel ✓"]


def test_records_come_from_standard_input_and_parameters_from_the_command(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/x?tenant={{param.tenant}}")
    words = ("run", "orders", "--records", "-", "--format", "jsonl", "--activate", "--json", "--limit", "2")
    told = project.run(*words, "--param", "tenant=a b", typed='{"n": 1}\n{"n": 2}\n{"n": 3}\n')
    assert (told.code, counts(told)) == (0, all_delivered(2))
    assert [path for _, path, _, _ in server.seen] == ["/x?tenant=a%20b"] * 2
    assert told.json["source"] == "standard input"


def test_a_missing_parameter_begins_no_run_that_would_stand_in_the_way(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/x?tenant={{param.tenant}}")
    run = ("run", "orders", "--records", project.records(1), "--activate")
    told = project.run(*run)
    assert (told.code, told.out, "tenant" in told.err) == (2, "", True)
    assert project.run(*run, "--param", "tenant=a").code == 0


def test_state_and_activation_can_be_kept_elsewhere(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    run = ("run", "orders", "--records", project.records(1), "--state", "elsewhere")
    told = project.run(*run)
    assert (told.code, told.err.endswith("haulier activate orders --state elsewhere\n")) == (2, True)
    assert project.run("activate", "orders", "--state", "elsewhere").code == 0
    assert project.run(*run).code == 0
    assert (project.root / "elsewhere" / "orders" / "ledger.db").exists()
    assert "no runs yet" in project.run("runs").out
    assert project.run("runs", "--state", "elsewhere", "--json").json["runs"][0]["delivered"] == 1


def test_an_irreversible_run_is_confirmed_or_refused(project: Project, server: Server) -> None:
    project.destination("gone", f"request: {{method: DELETE, url: '{server.url}/things/{{record.sku}}'}}\n")
    run = ("run", "gone", "--records", project.records(1), "--activate")
    told = project.run(*run)
    assert (told.code, server.seen) == (2, [])
    assert "give --yes" in told.err
    assert project.run("destination", "list", "--json").json["destinations"][0]["activation"] == "new"
    assert project.run(*run, "--yes").code == 0
    assert [(method, path) for method, path, _, _ in server.seen] == [("DELETE", "/things/S-0")]


def test_a_run_is_refused_while_another_one_of_its_destination_is_under_way(
    project: Project, server: Server
) -> None:
    held = threading.Event()
    server.reply = lambda path, body: (held.wait(90), (200, {}, b"{}"))[1]
    project.post("orders", f"{server.url}/x")
    first = project.start("run", "orders", "--records", project.records(2), "--activate")
    wait_for(lambda: server.seen)
    told = project.run("run", "orders", "--records", "records.jsonl")
    held.set()
    assert first.wait(60) == 0
    assert told.code == 2
    assert f"is under way (process {first.pid}" in told.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_resumably_after_what_is_in_flight(
    project: Project, server: Server, number: int, code: int
) -> None:
    server.reply = lambda path, body: (time.sleep(0.05), (200, {}, b"{}"))[1]
    project.post("orders", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    run = ("run", "orders", "--records", project.records(200), "--activate", "--json")
    process = project.start(*run)
    wait_for(lambda: len(server.seen) > 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    report = json.loads(out)
    assert process.returncode == code
    assert (report["state"], report["reason"]) == ("stopped", f"interrupted by {signal.Signals(number).name}")
    assert report["sending"] == 0
    assert report["delivered"] == len(server.seen)
    assert b"Traceback" not in err
    server.reply = lambda path, body: (200, {}, b"{}")
    on = project.run(*run)
    assert (on.code, counts(on)) == (0, all_delivered(200))
    assert len(server.seen) == 200


def test_a_second_signal_ends_at_once_and_loses_nothing(project: Project, server: Server) -> None:
    held = threading.Event()
    server.reply = lambda path, body: (held.wait(90), (200, {}, b"{}"))[1]
    project.post("orders", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    run = ("run", "orders", "--records", project.records(5), "--activate")
    process = project.start(*run)
    wait_for(lambda: server.seen)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    told = b""
    while b"once more ends at once" not in told:
        told += process.stderr.readline()
        assert process.poll() is None, told
    process.send_signal(signal.SIGINT)
    # By itself it would end in ten seconds: `_GRACE_S`.
    assert process.wait(8) == 130
    held.set()
    on = project.run(*run, "--json")
    assert (on.code, counts(on)) == (0, all_delivered(5))
    # One of the window of five went out twice: the ledger knows one attempt, and says that there may be another.
    assert len(server.seen) == 6
    told = project.run("report", on.json["run_id"])
    assert "at least 5 requests went out: 5 different ones, at least 0 of them more than once" in told.out
    cut_off = (
        "5 requests were without outcome when a sitting ended: those of them that had their turn may have gone out "
        "before, more than once where they were tried again, not counted above"
    )
    assert f"beside   {cut_off}\n" in told.out
    assert project.run("report", on.json["run_id"], "--json").json["figures"]["cut_off"] == 5


def test_pause_stops_a_run_under_way(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (time.sleep(0.05), (200, {}, b"{}"))[1]
    project.post("orders", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    process = project.start("run", "orders", "--records", project.records(400), "--activate")
    wait_for(lambda: len(server.seen) > 2)
    assert project.run("pause", "orders").code == 0
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "stopped: the destination was paused" in out.decode()
    assert len(server.seen) < 400


def test_batches_are_counted_as_records(project: Project, server: Server) -> None:
    project.post(
        "orders", f"{server.url}/x", "batching: {size: 4, grouping: {name: property, property_name: rows}}\n"
    )
    plan = project.run("plan", "orders", "--records", project.records(10), "--json").json
    assert {name: plan[name] for name in ("shape", "records", "requests", "rejected")} == {
        "shape": 1,
        "records": 10,
        "requests": 3,
        "rejected": 0,
    }
    told = project.run("run", "orders", "--records", "records.jsonl", "--activate", "--json")
    assert (counts(told), told.json["attempts"]) == (all_delivered(10), 3)
    assert sorted(len(body["rows"]) for body in server.bodies) == [2, 4, 4]
