"""Dead letters from the command line: chosen, exported, mended and replayed; and what reports, runs and prune tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.running import Answer, Project, Server


def without_price(path: str, body: bytes) -> Answer:
    record = json.loads(body)
    if "price" not in record:
        return 422, {}, b'{"why": "no price"}'
    return (200, {}, b"{}") if record["price"] else (400, {}, b'{"why": "for nothing"}')


@pytest.fixture
def failed(project: Project, server: Server) -> str:
    """A run with three dead letters; its id."""
    server.reply = without_price
    project.post("shop", f"{server.url}/x", "key: sku\nlimits: {max_in_flight: 1}\n")
    lines = ['{"sku": "a", "price": 1}', '{"sku": "b"}', '{"sku": "c", "price": 0}', '{"sku": "d"']
    (project.root / "in.jsonl").write_text("\n".join(lines) + "\n")
    told = project.run("run", "shop", "--records", "in.jsonl", "--activate", "--json")
    assert told.code == 4
    server.seen.clear()
    return str(told.json["run_id"])


def listed(project: Project, *words: str) -> list[Any]:
    letters = project.run("dead-letters", "list", "shop", "--json", *words).json["dead_letters"]
    return [(one["position"], one["replayed"]) for one in letters]


def test_they_are_chosen_by_reason_and_state(project: Project, failed: str) -> None:
    assert listed(project) == [(1, None), (2, None), (3, None)]
    assert listed(project, "--reason", "NO PRICE") == [(1, None)]
    assert listed(project, "--only", "in_doubt") == []
    told = project.run("dead-letters", "list", "shop", "--only", "in_doubt").out
    assert told == "none: no such record was rejected or is in doubt, or it was replayed (--all)\n"
    assert project.run("dead-letters", "export", "shop", "--reason", "422").out == '{"sku": "b"}\n'


def test_those_that_are_not_listed_are_counted_with_what_lists_them_all(
    project: Project, server: Server, failed: str
) -> None:
    told = project.run("dead-letters", "list", "shop", "-n", "1").out.splitlines()
    assert told[2:] == ["... and 2 more (-n 3)"]
    assert len(project.run("dead-letters", "list", "shop", "-n", "3").out.splitlines()) == 4


def test_a_reason_of_two_lines_is_listed_whole(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (422, {}, b"a" * 180 + b" mend the price")
    project.post("shop", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    (project.root / "in.jsonl").write_text('{"sku": "a"}\n')
    project.run("run", "shop", "--records", "in.jsonl", "--activate")
    listed = project.run("dead-letters", "list", "shop").out
    assert listed.endswith(f"the service answered 422: {'a' * 180} mend the price\n")


def test_one_reason_more_is_told_in_the_singular(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (422, {}, body)
    project.post("shop", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    (project.root / "in.jsonl").write_text("".join(f'{{"why": "{word}"}}\n' for word in "abcdefghijk"))
    run = project.run("run", "shop", "--records", "in.jsonl", "--activate", "--json").json["run_id"]
    assert project.run("report", run).out.endswith("\n  ... and 1 more reason (--json has all)\n")


def test_an_export_is_mended_and_replayed(project: Project, server: Server, failed: str) -> None:
    exported = project.run(
        "dead-letters", "export", failed[:8], "--json", "-o", "mend.jsonl", "--reason", "price"
    )
    assert exported.json == {"shape": 1, "written": 1, "missing": 0, "path": "mend.jsonl"}
    line = json.loads((project.root / "mend.jsonl").read_text())
    assert (line["run_id"], line["position"], line["record"]) == (failed, 1, {"sku": "b"})
    line["record"]["price"] = 2
    (project.root / "mend.jsonl").write_text(json.dumps(line) + "\n")
    told = project.run("dead-letters", "replay", "shop", "--records", "mend.jsonl", "--json")
    assert (told.code, told.json["parent"], told.json["delivered"]) == (0, failed, 1)
    assert server.bodies == [{"sku": "b", "price": 2}]
    assert listed(project) == [(2, None), (3, None)]
    assert listed(project, "--all") == [(1, told.json["run_id"]), (2, None), (3, None)]
    shown = project.run("dead-letters", "show", "shop", "1").out
    assert f"replayed  by run {told.json['run_id']}\n" in shown


def test_a_place_that_is_no_number_is_refused_in_words(project: Project, failed: str) -> None:
    told = project.run("dead-letters", "show", "shop", "abc")
    assert (told.code, told.out) == (2, "")
    assert told.err.endswith(
        "Invalid value for 'POSITION': 'abc' is not a valid whole number of at least 0.\n"
    )


def test_a_stopped_replay_is_not_resumed_as_a_run(project: Project, server: Server, failed: str) -> None:
    server.reply = lambda path, body: (401, {}, b"{}")
    stopped = project.run("dead-letters", "replay", failed[:6], "--json").json["run_id"]
    told = project.run("run", "shop", "--resume", stopped)
    assert told.code == 2
    assert f"is a replay; go on with it by: haulier dead-letters replay {stopped[:12]}\n" in told.err


def test_the_way_out_of_max_rejected_is_one(project: Project, server: Server) -> None:
    server.reply = without_price
    (project.root / "in.jsonl").write_text('{"sku": "a", "price": 1}\n' + '{"sku": "b"}\n' * 5)
    more = "key: sku\nlimits: {max_in_flight: 1}\n"
    project.post("shop", f"{server.url}/x", f"{more}max_rejected: 2\n")
    stopped = project.run("run", "shop", "--records", "in.jsonl", "--activate")
    assert stopped.code == 3
    told = (
        "records were rejected, more than `max_rejected: 2`; raise it or take it away, as it stops the same command "
        "anew each time"
    )
    mended = (
        "to go on, once the setting is mended: the same command again; what was delivered is not sent twice"
    )
    assert f"stopped: 3 {told}\n" in stopped.out
    assert f"\n{mended}\n" in stopped.out
    anew = project.run("run", "shop", "--records", "in.jsonl")
    assert (anew.code, f"stopped: 4 {told}\n" in anew.out) == (3, True)
    project.post("shop", f"{server.url}/x", more)
    report = project.run("run", "shop", "--records", "in.jsonl", "--json").json
    assert (report["state"], report["delivered"], report["rejected"]) == ("finished", 1, 5)


def test_a_key_is_listed_and_shown_as_the_json_it_is(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (400, {}, b"{}")
    (project.root / "in.jsonl").write_text('{"sku": ["a"]}\n{"sku": 1.5}\n{"sku": "b"}\n{"sku": true}\n')
    project.post("shop", f"{server.url}/x", "key: sku\n")
    assert project.run("run", "shop", "--records", "in.jsonl", "--activate", "--yes").code == 4
    listed = project.run("dead-letters", "list", "shop").out.splitlines()[1:]
    assert [line.split()[2] for line in listed] == ['["a"]', "1.5", "b", "true"]
    assert 'key      ["a"]\n' in project.run("dead-letters", "show", "shop", "0").out


def test_a_malformed_line_is_exported_as_text(project: Project, failed: str) -> None:
    lines = project.run("dead-letters", "export", "shop", "--json").out.splitlines()
    assert [("record" in json.loads(line), json.loads(line).get("text")) for line in lines] == [
        (True, None),
        (True, None),
        (False, '{"sku": "d"'),
    ]


def test_a_replay_tells_what_it_is_and_is_refused_when_nothing_is_left(
    project: Project, server: Server, failed: str
) -> None:
    server.reply = lambda path, body: (200, {}, b"{}")
    told = project.run("dead-letters", "replay", failed[:6])
    assert told.code == 4
    assert f"replay of  {failed}\n" in told.out
    assert "input      dead letters\n" in told.out
    assert server.bodies == [{"sku": "b"}, {"sku": "c", "price": 0}]
    again = project.run("dead-letters", "replay", failed[:6])
    assert (again.code, again.out) == (2, "")
    assert (
        "nothing is left to replay: 3 were replayed before (--again, again=True in Python, replays them once more)\n"
        in again.err
    )
    # What the replay could not send either is a dead letter of its own.
    assert listed(project) == [(2, None)]


def test_a_replay_that_is_not_confirmed_leaves_everything_as_it_was(
    project: Project, server: Server, failed: str
) -> None:
    project.destination(
        "shop", f"request: {{method: DELETE, url: '{server.url}/x/{{record.sku}}'}}\nkey: sku\n"
    )
    refused = project.run("dead-letters", "replay", "shop")
    assert (refused.code, "give --yes" in refused.err, server.seen) == (2, True, [])
    assert listed(project) == [(1, None), (2, None), (3, None)]
    assert [one["run_id"] for one in project.run("runs", "--json").json["runs"]] == [failed]
    server.reply = lambda path, body: (200, {}, b"{}")
    chosen = project.run("dead-letters", "replay", "shop", "--reason", "no price", "--yes", "--json")
    assert (chosen.code, chosen.json["delivered"]) == (0, 1)
    assert [path for _, path, _, _ in server.seen] == ["/x/b"]


def test_a_paused_destination_replays_nothing(project: Project, server: Server, failed: str) -> None:
    project.run("pause", "shop")
    told = project.run("dead-letters", "replay", "shop")
    assert (told.code, server.seen) == (2, [])
    assert "switch it on with: haulier activate shop" in told.err


def test_a_stopped_replay_says_how_it_goes_on(project: Project, server: Server, failed: str) -> None:
    server.reply = lambda path, body: (401, {}, b"{}")
    told = project.run("dead-letters", "replay", "shop")
    run_id = project.run("runs", "--json").json["runs"][0]["run_id"]
    assert (told.code, f"to go on: haulier dead-letters replay {run_id[:12]}\n" in told.out) == (3, True)
    server.reply = lambda path, body: (200, {}, b"{}")
    told = project.run("dead-letters", "replay", run_id[:12], "--json")
    assert (told.json["run_id"], told.json["delivered"]) == (run_id, 2)


def test_a_report_tells_rates_cost_waiting_and_grouped_reasons(project: Project, failed: str) -> None:
    told = project.run("report", failed[:8])
    for said in (
        "time     ",
        "rate     ",
        "cost     3 requests went out: 3 different ones, 0 of them more than once\n",
    ):
        assert said in told.out
    assert "state     records  reason\n" in told.out
    values = project.run("report", failed[:8], "--json").json
    assert (values["shape"], values["figures"]["attempts"], len(values["figures"]["slowest"])) == (1, 3, 3)
    assert [(one["state"], one["records"]) for one in values["reasons"]] == [("rejected", 1)] * 3


# -- standard input --------------------------------------------------------------------------------------------------


def test_a_run_from_standard_input_goes_on_with_what_it_had_read(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (200, {}, b"{}") if json.loads(body)["n"] < 3 else (401, {}, b"{}")
    project.post("shop", f"{server.url}/x", "limits: {max_in_flight: 1}\n")
    lines = "".join(f'{{"n": {number}}}\n' for number in range(8))
    told = project.run("run", "shop", "--records", "-", "--activate", typed=lines)
    run_id = project.run("runs", "--json").json["runs"][0]["run_id"]
    assert told.code == 3
    assert (
        f"to go on with what was read: haulier run shop --resume {run_id[:12]}; with all of the input"
        in told.out
    )
    server.reply = lambda path, body: (200, {}, b"{}")
    told = project.run("run", "shop", "--resume", run_id[:12], "--json")
    assert (told.code, told.json["run_id"], told.json["delivered"]) == (0, run_id, 8)
    again = project.run("run", "shop", "--resume", run_id[:12])
    assert (again.code, again.err) == (
        2,
        f"haulier: run {run_id} is finished; there is nothing to go on with\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give the records with --records FILE, or --resume RUN; one of the two"),
        (("--records", "in.jsonl", "--resume", "x"), "one of the two"),
        (("--resume", "x", "--run-key", "k"), "--resume names the run; leave out --run-key and --again"),
    ],
)
def test_either_records_or_a_run_to_resume(
    project: Project, server: Server, words: tuple[str, ...], said: str
) -> None:
    project.post("shop", f"{server.url}/x")
    told = project.run("run", "shop", "--activate", *words)
    assert (told.code, said in told.err) == (2, True)


# -- prune -----------------------------------------------------------------------------------------------------------


def test_prune_forgets_old_runs_but_none_with_dead_letters(
    project: Project, server: Server, failed: str
) -> None:
    server.reply = lambda path, body: (200, {}, b"{}")
    for count in (1, 2, 3):
        project.run("run", "shop", "--records", project.records(count))
    told = project.run("runs", "prune", "--keep", "1")
    assert told.out == (
        "shop: 2 runs forgotten\n  1 old ones stay for their dead letters (--dead-letters forgets them too)\n"
    )
    assert [one["read"] for one in project.run("runs", "--json").json["runs"]] == [3, 4]
    told = project.run("runs", "prune", "--keep", "1", "--dead-letters", "--json")
    (one,) = told.json["destinations"]
    assert (one["destination"], one["removed"], one["kept"], one["busy"]) == ("shop", [failed], [], "")
    assert project.run("report", failed[:8]).code == 2


def test_line_breaks_in_a_key_leave_the_table_a_line_for_each(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (422, {}, b"{}")
    project.post("orders", f"{server.url}/x", "key: sku\n")
    (project.root / "in.jsonl").write_text('{"sku": "a\\nb\\tc"}\n')
    project.run("run", "orders", "--records", "in.jsonl", "--activate")
    heads, row = project.run("dead-letters", "list", "orders").out.splitlines()
    assert heads.split()[:4] == ["run", "position", "key", "state"]
    assert "  a b c  rejected  " in row


def test_a_stage_that_is_not_there_is_refused(project: Project, failed: str) -> None:
    told = project.run("dead-letters", "show", failed, "1", "--stage", "tga")
    assert (told.code, told.out) == (2, "")
    assert "has no stage 'tga': it is no chain; leave out --stage" in told.err


def test_a_fresh_replay_does_not_claim_to_go_on(project: Project, failed: str) -> None:
    told = project.run("dead-letters", "replay", failed)
    assert f" replays dead letters of {failed[:12]}\n" in told.err
    assert "goes on" not in told.err


def test_a_destination_that_there_is_not_is_named_with_those_there_are(project: Project, failed: str) -> None:
    project.post("fresh", "https://example.com/x")
    told = project.run("runs", "--destination", "shopp")
    assert told.code == 2
    assert "there is no destination 'shopp'; there are: fresh, shop" in told.err
    assert project.run("runs", "--destination", "fresh").out.startswith("no runs yet")
    assert failed[:12] in project.run("runs", "--destination", "shop").out


def test_a_replay_of_nothing_counts_only_what_is_left(project: Project, failed: str) -> None:
    project.run("dead-letters", "replay", "shop", "--reason", "no price")
    told = project.run("dead-letters", "replay", failed, "--reason", "nosuch")
    assert "nothing is left to replay: 2 do not fit" in told.err


def test_the_hint_for_what_is_in_doubt_is_a_command_that_finds_it(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (503, {}, b"")
    project.post("shop", f"{server.url}/x", "verdicts: {503: unknown}\n")
    (project.root / "in.jsonl").write_text('{"sku": "a"}\n')
    told = project.run("run", "shop", "--records", "in.jsonl", "--activate")
    assert "--only in_doubt" in told.out
    assert "once mended" not in told.out
    server.reply = lambda path, body: (200, {}, b"{}")
    (line,) = [line for line in told.out.splitlines() if "--only in_doubt" in line]
    words = line.partition(" haulier ")[2].split()
    assert project.run(*words, "--json").json["delivered"] == 1


def test_runs_that_nobody_goes_on_with_are_shown_as_such_and_can_be_forgotten(
    project: Project, server: Server
) -> None:
    """Of three stopped runs one is superseded by settings, one abandoned for another input, one the newest."""
    server.reply = lambda path, body: (401, {}, b"")
    source = project.root / "in.jsonl"
    for target, record in (("x", '{"sku": "a"}'), ("y", '{"sku": "a"}'), ("y", '{"sku": "b"}')):
        project.post("shop", f"{server.url}/{target}")
        source.write_text(record + "\n")
        assert project.run("run", "shop", "--records", "in.jsonl", "--activate").code == 3
    states = [line.split()[2] for line in project.run("runs").out.splitlines()[1:]]
    assert states == ["stopped", "stopped", "superseded"]
    runs = [one["run_id"] for one in project.run("runs", "--json").json["runs"]]
    assert "to go on" not in project.run("report", runs[2]).out
    assert "to go on" in project.run("report", runs[1]).out
    (pruned,) = project.run("runs", "prune", "--keep", "1", "--json").json["destinations"]
    assert pruned["removed"] == [runs[2]]
    (pruned,) = project.run("runs", "prune", "--keep", "1", "--unfinished", "--json").json["destinations"]
    assert pruned["removed"] == [runs[1]]
    assert [one["run_id"] for one in project.run("runs", "--json").json["runs"]] == [runs[0]]
