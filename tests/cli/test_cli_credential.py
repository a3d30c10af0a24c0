"""`haulier credential`: stored once, asked for hidden, bound to its origins, shown never."""

from __future__ import annotations

import base64
import os
import pty
import select
import subprocess
import time

from tests.cli.running import Project, Result, Server

from haulier.io.project import Project as Folder

SECRET = "s3cr3t-Value-9f8e7d"


def forms(secret: str) -> set[str]:
    return {
        secret,
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"key:{secret}".encode()).decode(),
    }


def test_a_credential_is_stored_listed_and_removed_without_showing_its_value(project: Project) -> None:
    words = (
        "credential",
        "add",
        "bearer",
        "--name",
        "shop",
        "--origin",
        "http://127.0.0.1:1",
        "--value",
        f"token={SECRET}",
    )
    told = project.run(*words)
    assert (told.code, told.out) == (
        0,
        "stored credential shop of type bearer, for http://127.0.0.1:1 only\n",
    )
    listed = project.run("credential", "list", "--json")
    assert listed.json == {
        "shape": 1,
        "credentials": [
            {
                "name": "shop",
                "type": "bearer",
                "origins": ["http://127.0.0.1:1"],
                "values": {"token": "stored"},
            }
        ],
    }
    assert "token stored" in project.run("credential", "list").out
    again = project.run(*words)
    assert (again.code, "choose another name, or replace it with --replace" in again.err) == (2, True)
    assert project.run(*words, "--replace").code == 0
    removed = project.run("credential", "remove", "shop")
    assert (removed.code, removed.out) == (0, "removed credential shop\n")
    assert project.run("credential", "list", "--json").json["credentials"] == []
    for result in (told, listed, again, removed):
        assert not any(form in result.out + result.err for form in forms(SECRET))


def test_what_is_missing_is_named_where_nobody_can_be_asked(project: Project) -> None:
    told = project.run("credential", "add", "imagga", "--value", "api_key=k")
    assert (told.code, told.err) == (
        2,
        "haulier: credential `imagga`: type imagga needs api_secret; give each with --value, such as --value "
        "api_secret=env:NAME, or all with --from-env\n",
    )
    told = project.run("credential", "add", "imagga", "--value", "api_kee=k", "--value", "api_secret=s")
    assert (told.code, "has no `api_kee`; did you mean `api_key`?" in told.err) == (2, True)
    told = project.run("credential", "add", "bearer", "--value", "token=t")
    assert (told.code, "name the server it may go to, such as --origin" in told.err) == (2, True)
    told = project.run("credential", "add", "http")
    assert (told.code, "takes a credential of any type; name one: " in told.err) == (2, True)


def test_values_can_stay_where_they_are_in_variables_and_files(project: Project) -> None:
    told = project.run(
        "credential", "add", "imagga", "--from-env", IMAGGA_API_KEY="k1", IMAGGA_API_SECRET=SECRET
    )
    assert (told.code, told.out) == (
        0,
        "stored credential imagga of type imagga, for https://api.imagga.com only\n",
    )
    assert project.run("credential", "list", "--json").json["credentials"][0]["values"] == {
        "api_key": "env:IMAGGA_API_KEY",
        "api_secret": "env:IMAGGA_API_SECRET",
    }
    assert SECRET not in (project.root / ".haulier" / "credentials.json").read_text()
    told = project.run("credential", "add", "imagga", "--name", "other", "--from-env", IMAGGA_API_KEY="k1")
    assert (told.code, "the environment variable IMAGGA_API_SECRET is not set" in told.err) == (2, True)
    (project.root / "token").write_text(SECRET)
    words = ("--name", "shop", "--origin", "http://127.0.0.1:1", "--value", "token=file:token")
    assert project.run("credential", "add", "bearer", *words).code == 0
    listed = project.run("credential", "list", "--json").json["credentials"]
    assert listed[-1]["values"] == {"token": f"file:{project.root / 'token'}"}


def test_check_tells_good_from_refused_and_from_no_answer(project: Project, server: Server) -> None:
    good = "Basic " + base64.b64encode(f"key:{SECRET}".encode()).decode()
    usage = b'{"result": {"monthly_limit": 10}, "status": {"text": "", "type": "success"}}'
    refusal = b'{"status": {"text": "Authorization required", "type": "error"}}'

    def add(name: str, secret: str, *more: str) -> Result:
        values = ("--value", "api_key=key", "--value", f"api_secret={secret}")
        return project.run(
            "credential", "add", "imagga", "--name", name, "--origin", server.url, *values, *more
        )

    server.reply = lambda path, body: (
        (200, {}, usage) if server.seen[-1][2]["Authorization"] == good else (401, {}, refusal)
    )
    told = add("good", SECRET, "--check")
    assert (told.code, server.seen[-1][:2]) == (0, ("GET", "/v2/usage?concurrency=1"))
    assert f"credential good is good: GET {server.url}/v2/usage?concurrency=1 answered 200\n" in told.out
    checked = project.run("credential", "check", "good", "--json")
    assert (checked.code, checked.json["shape"], checked.json["good"], checked.json["status"]) == (
        0,
        1,
        True,
        200,
    )
    bad = add("bad", "wrong-secret", "--check")
    assert (bad.code, "credential bad did not pass" in bad.out) == (2, True)
    assert project.run("credential", "check", "bad", "--json").json["good"] is False
    assert add("away", SECRET).code == 0
    away = project.run("credential", "check", "good", "--base-url", "http://127.0.0.1:9")
    assert (away.code, "is bound to" in away.err) == (2, True)
    for result in (told, checked, bad, away):
        assert not any(form in result.out + result.err for form in forms(SECRET))


def test_a_credential_goes_nowhere_but_to_its_origins(project: Project, server: Server) -> None:
    words = ("--name", "shop", "--origin", "https://shop.example.com", "--value", f"token={SECRET}")
    assert project.run("credential", "add", "bearer", *words).code == 0
    project.post("orders", f"{server.url}/x", "credential: shop\n")
    told = project.run("run", "orders", "--records", project.records(1), "--activate")
    assert (told.code, server.seen) == (2, [])
    assert f"--origin {server.url}" in told.err


def test_no_secret_shows_in_anything_a_run_writes_or_prints(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (400, {}, f'{{"echo": "Bearer {SECRET}"}}'.encode())
    words = ("--name", "shop", "--origin", server.url, "--value", f"token={SECRET}")
    assert project.run("credential", "add", "bearer", *words).code == 0
    project.post("orders", f"{server.url}/x", "credential: shop\noutputs: [{to: jsonl, path: out.jsonl}]\n")
    records = project.records(2)
    for command in (
        ("preview", "orders", "--records", records, "--full"),
        ("preview", "orders", "--records", records, "--json"),
        ("test", "orders", "--records", records),
        ("test", "orders", "--records", records, "--json"),
        ("run", "orders", "--records", records, "--activate", "--json"),
        ("dead-letters", "list", "orders", "--json"),
        ("report", "orders"),
        ("destination", "show", "orders", "--json"),
    ):
        told = project.run(*command)
        assert not any(form in told.out + told.err for form in forms(SECRET)), command
    assert server.seen[-1][2]["Authorization"] == f"Bearer {SECRET}"
    for path in project.root.rglob("*"):
        if path.is_file() and path.name != "credentials.json":
            content = path.read_bytes()
            assert not any(form.encode() in content for form in forms(SECRET)), path


def test_on_a_terminal_missing_values_are_asked_for_and_secrets_stay_hidden(project: Project) -> None:
    shown, code = on_terminal(
        project, ["credential", "add", "imagga", "--name", "typed", "--no-check"], ["my-key", SECRET]
    )
    assert code == 0
    assert "api_secret" in shown
    assert SECRET not in shown
    assert "stored credential typed of type imagga" in shown
    assert Folder.find(project.root).credentials.exists()


def test_on_a_terminal_a_destination_is_made_by_questions(project: Project) -> None:
    answers = [
        "tag-it",
        "imagga",
        "tag-image",
        "image_url",
        "{record.url}",
        "shop-key",
        "sku",
        "out/tags.jsonl",
    ]
    shown, code = on_terminal(project, ["destination", "new"], answers)
    assert code == 0, shown
    assert (project.root / "destinations" / "tag-it.yaml").read_text() == (
        "# Where records go\nconnector: imagga\nendpoint: tag-image\ncredential: shop-key\n\n"
        '# What is sent\nkey: sku\nparams:\n  image_url: "{record.url}"\n\n'
        "# Where answers go\noutputs:\n  - to: jsonl\n    path: out/tags.jsonl\n"
    )


def test_on_a_terminal_what_cannot_be_undone_is_asked_about(project: Project, server: Server) -> None:
    project.destination("gone", f"request: {{method: DELETE, url: '{server.url}/things/{{record.sku}}'}}\n")
    run = ["run", "gone", "--records", project.records(1), "--activate"]
    shown, code = on_terminal(project, run, ["n"])
    assert (code, server.seen, "nothing was sent" in shown) == (2, [], True)
    shown, code = on_terminal(project, run, ["y"])
    assert (code, len(server.seen)) == (0, 1), shown


def on_terminal(project: Project, words: list[str], answers: list[str]) -> tuple[str, int]:
    """Run a command on a terminal, answer each prompt in turn; what the terminal showed, and the exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*command(), *words],
        cwd=project.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=project.environment(),
    )
    os.close(theirs)
    shown, waiting, until = "", list(answers), time.monotonic() + 60
    answered = 0  # what was shown before the last answer; what is shown until it is read asks for no other
    while time.monotonic() < until:
        if not select.select([ours], [], [], 0.1)[0]:
            # Nothing more comes: it waits for an answer, or is at work.
            if process.poll() is not None:
                break
            if waiting and len(shown) > answered and shown.endswith(": "):
                answered = len(shown)
                os.write(ours, waiting.pop(0).encode() + b"\n")
            continue
        try:
            shown += os.read(ours, 65536).decode()
        except OSError:
            break
    code = process.wait(60)
    os.close(ours)
    return shown, code


def command() -> list[str]:
    import sys

    return [sys.executable, "-m", "haulier"]
