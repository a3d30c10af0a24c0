"""A chain from the command line: one run, a report with its stages, dead letters that name theirs, pause and resume."""

from __future__ import annotations

import json
import threading
import time

from tests.cli.running import Answer, Project, Server, wait_for

CHAIN = """\
key: id
limits: {{max_in_flight: 1}}
stages:
  - name: upload
    request: {{method: POST, url: "{url}/upload"}}
  - name: tag
    request: {{method: POST, url: "{url}/tag/{{record.upload.id}}"}}
    exclude: [upload]
"""


def service(path: str, body: bytes) -> Answer:
    if path == "/upload":
        return 200, {}, json.dumps({"id": f"u{json.loads(body)['id']}"}).encode()
    return (422, {}, b'{"why": "blurred"}') if path == "/tag/u1" else (200, {}, b"{}")


def begun(project: Project, server: Server, count: int = 3) -> None:
    server.reply = service
    project.destination("gallery", CHAIN.format(url=server.url))
    (project.root / "in.jsonl").write_text("".join(f'{{"id": {number}}}\n' for number in range(count)))


def test_a_chain_is_one_run_with_a_row_for_each_stage(project: Project, server: Server) -> None:
    begun(project, server)
    told = project.run("run", "gallery", "--records", "in.jsonl", "--activate")
    assert told.code == 4
    table = [line.split() for line in told.out.splitlines() if line.startswith(("upload", "tag", "in all"))]
    assert table == [
        ["upload", "3", "3", "0", "0", "0", "0", "3"],
        ["tag", "3", "2", "0", "1", "0", "0", "3"],
        ["in", "all", "6", "5", "0", "1", "0", "0", "6"],
    ]
    (run,) = project.run("runs", "--json").json["runs"]
    assert [(stage["name"], stage["rejected"]) for stage in run["stages"]] == [("upload", 0), ("tag", 1)]
    report = project.run("report", "gallery", "--json").json
    assert report["reasons"][0]["reason"].startswith("stage tag: ")
    assert report["figures"]["attempts"] == 6


def test_a_misspelt_stage_is_told_before_the_run_and_as_what_is_to_be_mended_behind_it(
    project: Project, server: Server
) -> None:
    begun(project, server, 30)
    project.destination(
        "gallery", CHAIN.format(url=server.url).replace("record.upload.id", "record.uplod.id")
    )
    warning = "stage `tag`: {record.uplod.id}: `uplod` is no earlier stage; is `upload` meant?"
    (checked,) = project.run("destination", "check", "gallery", "--json").json["checked"]
    assert checked["warnings"] == [warning]
    told = project.run("run", "gallery", "--records", "in.jsonl", "--activate")
    assert told.code == 3
    assert (
        "warning: stage `tag`: {record.uplod.id}: `uplod` is no earlier stage, and none of the first 30 records has an "
        "attribute of that name\n"
    ) in told.err
    way_on = (
        "to go on, once the setting is mended: the same command again; what was delivered is not sent twice"
    )
    assert way_on in told.out.splitlines()


def test_dead_letters_name_their_stage_and_are_replayed_from_there(project: Project, server: Server) -> None:
    begun(project, server)
    run_id = project.run("run", "gallery", "--records", "in.jsonl", "--activate", "--json").json["run_id"]
    (letter,) = project.run("dead-letters", "list", "gallery", "--json").json["dead_letters"]
    assert (letter["run_id"], letter["stage"], letter["position"], letter["key"]) == (
        f"{run_id}.tag",
        "tag",
        1,
        1,
    )
    assert f"{run_id[:12]}.tag" in project.run("dead-letters", "list", "gallery").out
    shown = project.run("dead-letters", "show", "gallery", "1", "--stage", "tag").out
    assert "stage" in shown
    assert '"upload":{"id": "u1"}' in shown.replace("\n", "")
    assert project.run("dead-letters", "show", "gallery", "1", "--stage", "upload").code == 2
    project.run("dead-letters", "export", "gallery", "--json", "-o", "mend.jsonl")
    mended = json.loads((project.root / "mend.jsonl").read_text())
    mended["record"]["upload"]["id"] = "u9"
    (project.root / "mend.jsonl").write_text(json.dumps(mended) + "\n")
    server.seen.clear()
    told = project.run("dead-letters", "replay", "gallery", "--records", "mend.jsonl", "--json")
    assert (told.code, told.json["parent"], told.json["delivered"]) == (0, run_id, 1)
    assert project.run("dead-letters", "list", "gallery", "--json").json["dead_letters"] == []


def test_a_replay_says_before_it_sends_that_records_begin_at_the_first_stage_again(
    project: Project, server: Server
) -> None:
    begun(project, server)
    clean_up = (
        f"  - name: clean\n    after: settled\n    request: {{method: POST, url: '{server.url}/clean'}}\n"
    )
    project.destination("gallery", CHAIN.format(url=server.url) + clean_up)
    assert project.run("run", "gallery", "--records", "in.jsonl", "--activate").code == 4
    told = project.run("dead-letters", "replay", "gallery")
    assert (
        "1 records begin at stage `upload` again, as what they need was cleaned up: all that its answers make is sent, "
        "delivered before or not"
    ) in told.err.splitlines()


def test_a_chain_that_is_paused_goes_on_in_every_stage(project: Project, server: Server) -> None:
    paused = threading.Event()

    def slow(path: str, body: bytes) -> Answer:
        if len(server.seen) >= 20:
            assert paused.wait(60)
        time.sleep(0.01)
        return service(path, body)

    begun(project, server, 200)
    server.reply = slow
    project.run("activate", "gallery")
    process = project.start("run", "gallery", "--records", "in.jsonl")
    wait_for(lambda: len(server.seen) >= 20)
    assert project.run("pause", "gallery").code == 0
    paused.set()
    assert process.wait(60) == 3
    stopped = project.run("report", "gallery", "--json").json
    assert stopped["state"] == "stopped"
    assert 0 < stopped["stages"][1]["delivered"] < 200
    ended = project.run("run", "gallery", "--records", "in.jsonl", "--activate", "--json").json
    assert [(one["read"], one["delivered"], one["rejected"]) for one in ended["stages"]] == [
        (200, 200, 0),
        (200, 199, 1),
    ]
    assert len(server.seen) == 400


def test_preview_shows_what_later_stages_are_made_of(project: Project, server: Server) -> None:
    begun(project, server)
    told = project.run("preview", "gallery", "--records", "in.jsonl", "-n", "1").out
    assert "--- then stage tag, of what was delivered: made from answers" in told
    assert "/tag/{record.upload.id}" in told
    later = project.run("preview", "gallery", "--records", "in.jsonl", "--json").json["later"]
    assert [stage["name"] for stage in later] == ["tag"]
    counted = project.run("plan", "gallery", "--records", "in.jsonl")
    assert "of stage `upload` alone" in counted.err
    assert server.seen == []


def test_a_test_send_says_what_it_leaves_behind(project: Project, server: Server) -> None:
    begun(project, server)
    told = project.run("test", "gallery", "--records", "in.jsonl", "--json")
    assert told.err == (
        "warning: a test calls stage `upload` alone: what that makes at the service stays there, without `tag`\n"
    )
    assert told.json["status"] == 200
    assert [path for _, path, _, _ in server.seen] == ["/upload"]
    project.post("plain", f"{server.url}/upload")
    assert project.run("test", "plain", "--records", "in.jsonl").err == ""
    text = CHAIN.format(url=server.url).replace("POST, url", "GET, url", 1)
    project.destination("asking", text)
    assert project.run("test", "asking", "--records", "in.jsonl").err == "", "a question makes nothing"


def test_the_run_of_a_stage_is_named_as_the_list_names_it(project: Project, server: Server) -> None:
    begun(project, server)
    run_id = project.run("run", "gallery", "--records", "in.jsonl", "--activate", "--json").json["run_id"]
    short = run_id[:12]
    letters = project.run("dead-letters", "list", f"{short}.tag", "--json").json["dead_letters"]
    assert [(one["stage"], one["position"]) for one in letters] == [("tag", 1)]
    assert project.run("dead-letters", "list", f"{short}.upload", "--json").json["dead_letters"] == []
    assert project.run("report", f"{short}.tag", "--json").json["run_id"] == run_id
    assert project.run("dead-letters", "show", "gallery", "1", "--json").json["stage"] == "tag"
    assert project.run("report", f"{short}.nosuch").code == 2
