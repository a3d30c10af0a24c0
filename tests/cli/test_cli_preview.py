"""`haulier preview`, `plan` and `test`: what goes out, shown before it does; nothing is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.running import Project, Server

NO_SOCKETS = """
import os, sys
def watch(event, about):
    # An HTTP client, or a loop whose sockets are not Python's, is as bad as a socket.
    if event.startswith("socket.") or (event == "import" and about[0] in ("httpx", "uvloop")):
        os.write(2, f"{event} {about}".encode())
        os._exit(99)
sys.addaudithook(watch)
"""


def files(project: Project) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in project.root.rglob("*") if path.is_file()}


def test_preview_and_plan_open_no_socket_and_write_nothing(project: Project, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_SOCKETS)
    project.post("orders", "http://localhost:9/x", "batching: {size: 2}\n")
    records = project.records(5)
    before = files(project)
    for command in ("preview", "plan"):
        told = project.run(command, "orders", "--records", records, PYTHONPATH=str(tmp_path))
        assert told.code == 0, told.err
    assert files(project) == before
    # The watch works: sending does open one.
    assert project.run("test", "orders", "--records", records, PYTHONPATH=str(tmp_path)).code == 99


def test_preview_shows_the_requests_that_a_run_sends(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x?a={{record.sku}}", "exclude: [n]\n")
    told = project.run("preview", "orders", "--records", project.records(4), "-n", "2", "--json")
    assert (told.code, told.json["shape"], [one["number"] for one in told.json["samples"]]) == (0, 1, [0, 1])
    assert project.run("run", "orders", "--records", "records.jsonl", "--activate").code == 0
    # Which of several connections is served first is the server's affair: each request is known by its target.
    arrived = {target: (method, headers, body) for method, target, headers, body in server.seen}
    assert len(arrived) == len(server.seen) == 4
    for sample in told.json["samples"]:
        method, headers, body = arrived[sample["target"]]
        assert (sample["method"], sample["body"]) == (method, body.decode())
        shown = {name: value for name, value in sample["headers"] if f"header {name}" not in sample["varies"]}
        assert {name: headers[name] for name in shown} == shown


def test_preview_marks_what_varies_and_what_a_credential_will_add(project: Project, server: Server) -> None:
    words = ("--name", "shop", "--origin", server.url, "--value", "token=abc")
    assert project.run("credential", "add", "bearer", *words).code == 0
    project.post("orders", f"{server.url}/x", "credential: shop\n")
    told = project.run("preview", "orders", "--records", project.records(1), "--full")
    assert "\nAuthorization: [from credential shop]\nContent-Length: 22\n\n" in told.out
    assert '\n{"sku": "S-0", "n": 0}\n\nsha256 ' in told.out
    assert "   (varies)\n" in told.out
    assert "varies from run to run: header Idempotency-Key\n" in told.out


def test_a_missing_credential_is_told_beside_the_preview(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x", "credential: nobody\n")
    told = project.run("preview", "orders", "--records", project.records(1))
    assert (told.code, "POST http://127.0.0.1:9/x\n" in told.out) == (0, True)
    assert "warning: no credential `nobody`" in told.err


def test_one_sample_can_be_shown_alone_and_one_that_is_not_there_is_refused(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    words = ("preview", "orders", "--records", project.records(3), "--sample")
    shown = project.run(*words, "2", "--json").json["samples"]
    assert [(one["number"], json.loads(one["body"])) for one in shown] == [(2, {"sku": "S-2", "n": 2})]
    told = project.run(*words, "3")
    assert (told.code, "there is no sample 3" in told.err) == (2, True)


def test_preview_shows_records_that_cannot_be_sent(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/{record.sku}")
    (project.root / "r.jsonl").write_text('{"sku": ""}\noops\n{"sku": "a"}\n')
    told = project.run("preview", "orders", "--records", "r.jsonl")
    assert told.code == 0
    assert [line.split(":")[1].strip() for line in told.out.splitlines() if line.startswith("rejected")] == [
        "line 1",
        "line 2",
    ]


def test_a_long_body_is_cut_short_unless_full_is_asked_for(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x", "batching: {size: 100}\n")
    words = ("preview", "orders", "--records", project.records(100))
    assert "more lines (--full shows the exact body)\n" in project.run(*words).out
    full = project.run(*words, "--full").out
    assert "more lines" not in full
    body = next(line for line in full.splitlines() if line.startswith("[{"))
    assert json.loads(body) == [{"sku": f"S-{number}", "n": number} for number in range(100)]


def test_test_sends_one_sample_shows_the_answer_and_keeps_nothing(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (
        200,
        {"X-RateLimit-Remaining": "7"},
        b'{"id": 12345678901234567890123}',
    )
    project.post("orders", f"{server.url}/x")
    before = files(project) | {str(project.root / "records.jsonl"): b""}
    told = project.run("test", "orders", "--records", project.records(3), "--sample", "1")
    assert (told.code, server.bodies) == (0, [{"sku": "S-1", "n": 1}])
    assert "status   200 after " in told.out
    assert "x-ratelimit-remaining: 7\n" in told.out
    assert '  "id": 12345678901234567890123\n' in told.out
    assert "verdict  delivered\n" in told.out
    assert files(project).keys() == before.keys()
    assert "no runs yet" in project.run("runs").out


@pytest.mark.parametrize(
    ("status", "code", "verdict"), [(400, 4, "rejected"), (503, 3, "retry"), (401, 3, "stop")]
)
def test_a_test_ends_as_a_run_with_such_an_answer_would(
    project: Project, server: Server, status: int, code: int, verdict: str
) -> None:
    server.reply = lambda path, body: (status, {}, b"{}")
    project.post("orders", f"{server.url}/x")
    told = project.run("test", "orders", "--records", project.records(1), "--json")
    assert (told.code, told.json["shape"], told.json["status"], told.json["verdict"]) == (
        code,
        1,
        status,
        verdict,
    )
    assert len(server.seen) == 1


def test_no_answer_is_told_by_its_reason(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    told = project.run("test", "orders", "--records", project.records(1))
    assert (told.code, "no answer: 127.0.0.1:9" in told.out) == (3, True)


def test_settings_and_payload_can_be_changed_for_one_test_only(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x", "exclude: [sku]\n")
    words = ("test", "orders", "--records", project.records(1))
    saved = (project.root / "destinations" / "orders.yaml").read_bytes()
    assert project.run(*words, "--set", "exclude=null", "--set", f"request.url={server.url}/y").code == 0
    assert project.run(*words).code == 0
    (project.root / "body.json").write_bytes(b'{"mine": true}')
    assert project.run(*words, "--payload", "body.json").code == 0
    assert [(path, json.loads(body)) for _, path, _, body in server.seen] == [
        ("/y", {"sku": "S-0", "n": 0}),
        ("/x", {"n": 0}),
        ("/x", {"mine": True}),
    ]
    assert (project.root / "destinations" / "orders.yaml").read_bytes() == saved
    told = project.run(*words, "--set", "limts.x=1")
    assert (told.code, "unknown key `limts`" in told.err) == (2, True)


def test_the_body_can_be_edited_before_it_goes_out(project: Project, server: Server) -> None:
    editor = project.root / "edit.sh"
    editor.write_text(
        "#!/bin/sh\n"
        """sed 's/S-0/edited/' "$1" > "$1.new" && mv "$1.new" "$1" && touch -d '+1 minute' "$1"\n"""
    )
    editor.chmod(0o755)
    project.post("orders", f"{server.url}/x")
    words = ("test", "orders", "--records", project.records(1), "--edit")
    assert project.run(*words, EDITOR=str(editor)).code == 0
    assert server.bodies == [{"sku": "edited", "n": 0}]
    told = project.run(*words, EDITOR="true")
    assert (told.code, server.bodies[-1], "the body was not changed" in told.err) == (
        0,
        {"sku": "S-0", "n": 0},
        True,
    )
    assert project.run(*words, EDITOR="false").code == 2
    project.destination("get", f"request: {{method: GET, url: '{server.url}/x'}}\n")
    told = project.run("test", "get", "--records", "records.jsonl", "--edit", EDITOR=str(editor))
    assert (told.code, "the body of this GET cannot be edited" in told.err) == (2, True)
    told = project.run("test", "orders", "--records", "-", "--edit", typed="{}\n", EDITOR=str(editor))
    assert (told.code, "--edit needs the keyboard" in told.err) == (2, True)
    assert len(server.seen) == 2


def test_a_plan_says_how_many_reasons_it_leaves_out(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    (project.root / "in.jsonl").write_text("".join(f"{{no {number}\n" for number in range(11)))
    told = project.run("plan", "orders", "--records", "in.jsonl")
    assert told.out.count("  rejected: ") == 1
    assert told.out.endswith(" (and 4 more like it)\n  ... and 6 more\n")


def test_records_that_are_refused_for_one_reason_are_told_in_one_line(project: Project) -> None:
    project.destination(
        "orders", "request: {method: POST, url: 'http://127.0.0.1:9/x', content_format: xml}\n"
    )
    (project.root / "in.jsonl").write_text('{"unit price": 1}\n' * 30 + '{"a": 1}\n{"<": 1}\n')
    told = project.run("preview", "orders", "--records", "in.jsonl")
    shown = [line for line in told.out.splitlines() if line.startswith(("rejected", "..."))]
    assert shown == [
        "rejected: line 1: attribute 'unit price' is no element name (letters, digits, `_`, `-` and `.` make one, a "
        "letter or `_` begins it, and `xml` does not): give it another with `rename`, leave it out with `exclude`, or "
        "write `names: field` in format_settings (and 19 more like it)",
        "... and 11 more, as far as was read",
    ]


def test_an_editor_that_cannot_be_used_is_named_with_its_value(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    words = ("test", "orders", "--records", project.records(1), "--edit")
    for editor, told in (
        ("rm", "$EDITOR is 'rm', which left no file that can be read (No such file or directory)"),
        ("vi 'x", '$EDITOR is "vi \'x", which is no command (No closing quotation); mend the quotes'),
        ("no-such-editor", "$EDITOR is 'no-such-editor', which cannot be run: "),
        ("false", "$EDITOR is 'false', which ended with status 1; nothing was sent"),
    ):
        ended = project.run(*words, EDITOR=editor)
        assert (ended.code, told in " ".join(ended.err.split())) == (2, True), ended.err
    assert server.seen == []


def test_without_terminal_and_editor_a_body_is_not_edited_but_refused(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/x")
    told = project.run("test", "orders", "--records", project.records(1), "--edit", EDITOR="", VISUAL=" ")
    assert (told.code, " ".join(told.err.split()).rpartition("Error: ")[2]) == (
        2,
        "--edit needs a terminal, or an editor in $EDITOR; without one use --payload FILE",
    )
    assert server.seen == []


def test_an_edited_body_keeps_the_bytes_that_were_not_edited(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (200, {}, b"{}")
    project.post("orders", f"{server.url}/x")
    (project.root / "body.txt").write_bytes(b"one\r\ntwo\nthree\rfour")
    words = ("test", "orders", "--records", project.records(1), "--payload", "body.txt", "--edit")
    assert project.run(*words, EDITOR="sed -i s/two/TWO/").code == 0
    told = project.run(*words, EDITOR="true")
    assert (told.code, "the body was not changed" in told.err) == (0, True)
    assert [body for *_, body in server.seen] == [b"one\r\nTWO\nthree\rfour", b"one\r\ntwo\nthree\rfour"]


@pytest.mark.parametrize(
    ("content", "editor", "told"),
    [
        (b"abcd", "", "sent 4 bytes from body.txt in place of 2 records from 0 on"),
        (b"", "", "sent an empty body from body.txt in place of 2 records from 0 on"),
        (b"abcd", "sed -i s/b/BB/", "sent 5 bytes from body.txt in place of 2 records from 0 on"),
        (None, "sed -i s/S-0/S/", "sent 45 bytes from the editor in place of 2 records from 0 on"),
        (None, "", "status   200 after "),
    ],
)
def test_a_test_says_what_was_sent_in_place_of_the_records(
    project: Project, server: Server, content: bytes | None, editor: str, told: str
) -> None:
    server.reply = lambda path, body: (200, {}, b"{}")
    project.post("orders", f"{server.url}/x", "compress: gzip\nbatching: {size: 2}\n")
    words = ["test", "orders", "--records", project.records(2)]
    if content is not None:
        (project.root / "body.txt").write_bytes(content)
        words += ["--payload", "body.txt"]
    ended = project.run(*words, *(["--edit"] if editor else []), EDITOR=editor)
    assert (ended.code, ended.out.split("\n")[0]) == (0, f"POST {server.url}/x")
    assert ended.out.split("\n")[1].startswith(told)


def test_a_number_of_samples_and_one_sample_alone_exclude_each_other(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    told = project.run("preview", "orders", "--records", project.records(3), "--sample", "1", "-n", "2")
    assert (told.code, told.out) == (2, "")
    assert "Error: --sample shows one request alone: leave out -n" in " ".join(told.err.split())


def test_the_key_of_a_test_belongs_to_its_body_and_to_it_alone(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    (project.root / "body.json").write_bytes(b'{"mine": true}')
    words = ("test", "orders", "--records", project.records(1), "--json")
    ended = [project.run(*words, *more) for more in ((), (), ("--payload", "body.json"))]
    assert [one.code for one in ended] == [0, 0, 0]
    keys = [
        next(value for name, value in head.items() if name.lower() == "idempotency-key")
        for _, _, head, _ in server.seen
    ]
    assert len(set(keys)) == 3
    told = [dict(one.json["sample"]["headers"])["Idempotency-Key"] for one in ended]
    assert told == keys


def test_preview_fetches_files_only_when_told_and_keeps_none(project: Project, server: Server) -> None:
    request = f"url: '{server.url}/x', content_format: multipart, attributes: none"
    files_of = f"files: {{image: '{server.url}/{{record.sku}}.png'}}"
    project.destination("orders", f"request: {{{request}, {files_of}}}\nfetch: {{allow: [127.0.0.1]}}\n")
    words = ("preview", "orders", "--records", project.records(3), "-n", "1")
    told = project.run(*words)
    assert "<file S-0.png, not fetched: --fetch fetches it now>" in told.out
    assert "header Content-Length, the file S-0.png, fetched when it is sent\n" in told.out
    assert "sha256 " not in told.out
    assert server.seen == []
    before = files(project)
    told = project.run(*words, "--fetch")
    assert [target for _, target, *_ in server.seen] == ["/S-0.png"]
    assert "<file S-0.png, " in told.out
    assert "\nsha256 " in told.out
    assert files(project) == before
