"""Bad input of every kind, at the real command line: never a traceback, and a message that helps.

Each message names the file, line or position, the value that is wrong, and the way out. Where what a person wrote is
wrong nothing is sent at all; where a record is wrong the others go on.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.support import (
    QUICK,
    Ended,
    Imagga,
    OddServer,
    Project,
    RecordingServer,
    Reply,
    png,
)
from tests.ports import free_port

from haulier.runs.reports.history import dead_letters
from haulier_imagga.emulator import Fault

RUN = ("run", "mine", "--records", "records.jsonl", "--activate")
HASTY = {"attempts": 2, "base_s": 0.01, "cap_s": 0.02}


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a destination, and what the message must say. change: laid over one that holds."""

    change: dict[str, Any]
    says: tuple[str, ...]
    command: tuple[str, ...] = RUN


def request(**change: Any) -> dict[str, Any]:
    """A change of the request alone."""
    return {"request": change}


def batched(**grouping: Any) -> dict[str, Any]:
    """A change of the grouping."""
    return {"batching": {"grouping": {"name": "property", **grouping}}}


def imagga_call(**settings: Any) -> dict[str, Any]:
    """A call by template in place of the request by hand."""
    return {"request": None, "connector": "imagga", "credential": "key", **settings}


CONFIGURATION = {
    "unknown connector": Wrong(
        {"connector": "imaga"}, ("destination `mine`", "connector 'imaga'", "did you mean 'imagga'?")
    ),
    "unknown endpoint": Wrong(
        imagga_call(endpoint="tag-images"),
        ("destination `mine`", "'tag-images'", "did you mean 'tag-image'?"),
    ),
    "unknown grouping": Wrong(
        {"batching": {"grouping": "propertey"}},
        ("destination `mine`", "'propertey'", "did you mean 'property'?"),
    ),
    "unknown encoder": Wrong(
        request(content_format="jsn"), ("destination `mine`", "'jsn'", "did you mean 'json'?")
    ),
    "unknown credential": Wrong({"credential": "kee"}, ("no credential `kee`", "did you mean `key`?")),
    "unknown parameter": Wrong(
        imagga_call(endpoint="tag-image", params={"image_ulr": "x"}),
        ("destination `mine`", "params.image_ulr", "did you mean image_url?"),
    ),
    "unknown expression": Wrong(request(url="{server}/{recrod.id}"), ("request.url", "recrod.id", "record.")),
    "unclosed expression": Wrong(request(url="{server}/{record.id"), ("request.url", "{record.id", "}")),
    "unknown --param": Wrong(request(url="{server}/{param.day}"), ("param.day", "--param day=")),
    "missing path value": Wrong(
        imagga_call(endpoint="delete-upload"), ("params.uploadId is missing", "{record.upload_id}")
    ),
    "empty path value": Wrong(
        imagga_call(endpoint="delete-upload", params={"uploadId": ""}),
        ("params.uploadId is empty", "{record.NAME}"),
    ),
    "path value .": Wrong(
        imagga_call(endpoint="delete-upload", params={"uploadId": "."}),
        ("params.uploadId", "`.`", "write|choose|give|leave", "`mine`"),
    ),
    "path value ..": Wrong(
        imagga_call(endpoint="delete-upload", params={"uploadId": ".."}),
        ("params.uploadId", "`..`", "write|choose|give|leave", "`mine`"),
    ),
    "dot segment in a URL": Wrong(request(url="{server}/a/../b"), ("request.url", "..")),
    "URL of another scheme": Wrong(
        request(url="ftp://example.com/in"), ("request.url", "ftp://example.com/in", "http")
    ),
    "URL without a host": Wrong(request(url="/in"), ("request.url", "/in", "http")),
    "header pair without a colon": Wrong(
        request(headers="X-Two,X-One:1"), ("headers", "pair 1", "X-Two", "no colon", "NAME:VALUE")
    ),
    "second header pair without a colon": Wrong(
        request(headers="X-One:1,X-Two"), ("headers", "pair 1", "X-Two", "no colon", "NAME:VALUE")
    ),
    "header with CR LF": Wrong(
        request(headers={"X-One": "1\r\nX-Evil: 2"}), ("headers.X-One", "line break (U+000D)")
    ),
    "header name with LF": Wrong(request(headers={"X-One\nX-Evil": "1"}), ("headers", "no header name")),
    "header of the transport": Wrong(
        request(headers="Content-Length:3"), ("headers", "Content-Length", "leave it out")
    ),
    "other props that are no JSON": Wrong(
        batched(property_name="records", other_props='{"a": }'),
        ("other_props is no JSON", "line 1, column 7"),
    ),
    "other props that are no object": Wrong(
        batched(property_name="records", other_props="[1]"), ("other_props is a JSON array, not an object",)
    ),
    "other props that clash": Wrong(
        batched(property_name="records", other_props={"records": 1}),
        ("other_props has 'records'", "choose another property_name"),
    ),
    "no property name": Wrong(batched(), ("batching.grouping", "property_name")),
    "batch size 0": Wrong({"batching": {"size": 0}}, ("mine.yaml:", "batching.size", "1")),
    "files without a root": Wrong(
        imagga_call(endpoint="upload-image", params={"image": "{record.file}"}),
        ("image is read from a file", "`files_root`"),
    ),
    "neither endpoint nor request": Wrong({"request": None}, ("mine.yaml", "endpoint: NAME", "request:")),
    "unknown setting": Wrong({"exlude": ["a"]}, ("mine.yaml:", "exlude", "exclude")),
    "wrong type": Wrong({"exclude": "a"}, ("mine.yaml:", "exclude", "list")),
    "unknown output": Wrong({"outputs": [{"to": "jsnl", "path": "x"}]}, ("'jsnl'", "did you mean 'jsonl'?")),
    "output outside the project": Wrong(
        {"outputs": [{"to": "jsonl", "path": "../x.jsonl"}]}, ("../x.jsonl",)
    ),
    "no such records": Wrong(
        {}, ("nowhere.jsonl: no such file", "standard input"), (*RUN[:3], "nowhere.jsonl", RUN[4])
    ),
    "records of an unknown format": Wrong(
        {}, ("'xml'", "known formats: csv, json, jsonl"), (*RUN, "--format", "xml")
    ),
    "records that look like none": Wrong(
        {}, ("records.txt: begins with", "say what it is: --format"), (*RUN[:3], "records.txt", RUN[4])
    ),
    "sample that does not exist": Wrong(
        {},
        ("there is no sample 7", "2 requests"),
        ("test", "mine", "--records", "records.jsonl", "--sample", "7"),
    ),
    "limit that is no number": Wrong(
        {}, ("--limit", "'x'", "not a valid whole number"), (*RUN, "--limit", "x")
    ),
    "pair without a sign": Wrong({}, ("--param", "'day'", "name=value"), (*RUN, "--param", "day")),
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and how often it connected to the server."""

    ended: Ended
    connections: int


def try_wrong(root: Path, wrong: Wrong) -> Outcome:
    """Give the command line something wrong, in a project of its own."""
    project = Project(root)
    with RecordingServer() as server:
        holds = {"request": {"method": "POST", "url": server.url + "/in"}, "limits": QUICK}
        change = json.loads(json.dumps(wrong.change).replace("{server}", server.url))
        written = {name: value for name, value in {**holds, **change}.items() if value is not None}
        if isinstance(change.get("request"), dict):
            written["request"] = {**holds["request"], **change["request"]}
        project.destination("mine", written)
        project.records([{"id": 1}, {"id": 2}])
        project.write("records.txt", "dear diary,\n")
        project.add_credential(server.url, name="key")
        return Outcome(project.try_haulier(*wrong.command), server.connections)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All of them at once: each is a process of its own, and starting it takes longest."""
    roots = [tmp_path_factory.mktemp("wrong") / "project" for _ in CONFIGURATION]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(CONFIGURATION, pool.map(try_wrong, roots, CONFIGURATION.values()), strict=True))


@pytest.mark.parametrize("what", CONFIGURATION)
def test_what_a_person_wrote_wrongly(what: str, outcomes: dict[str, Outcome]) -> None:
    """Exit 2, nothing sent, and a message with place, value and way out."""
    ended = outcomes[what].ended.expect(2)
    for text in CONFIGURATION[what].says:
        assert any(way in ended.said for way in text.split("|")), ended.said
    assert ended.out == ""
    assert outcomes[what].connections == 0


BROKEN = {
    "no such name": (None, "nope", ("no destination `nope`", "destinations", "known: mine")),
    "a name that is close": (None, "mnie", ("no destination `mnie`", "did you mean `mine`?")),
    "no such path": (None, "there/nope.yaml", ("there/nope.yaml: no such file", "mine")),
    "no name at all": (None, "../mine", ("'../mine'", "lower-case words")),
    "YAML that is none": (
        "connector: http\nrequest: {url: [\n",
        "mine",
        ("mine.yaml:", "line 3|mine.yaml:3|mine.yaml:2"),
    ),
    "a tab": ("connector: http\nrequest:\n\turl: x\n", "mine", ("mine.yaml:3", "tab")),
    "a key twice": (
        "connector: http\nkey: a\nkey: b\n",
        "mine",
        ("mine.yaml:3", "key", "twice|second|already"),
    ),
    "an alias": ("connector: &c http\nendpoint: *c\n", "mine", ("mine.yaml:", "alias|anchor")),
    "a list": ("- 1\n", "mine", ("mine.yaml", "mapping|settings")),
    "nothing": ("", "mine", ("mine.yaml", "empty")),
    "no text": (b"\xff\xfe\x00", "mine", ("mine.yaml", "UTF-8")),
}


def try_broken(root: Path, what: str) -> Ended:
    """Run a destination whose file is broken or not there."""
    content, given, _ = BROKEN[what]
    project = Project(root)
    project.destination("mine", {"request": {"url": "http://127.0.0.1:9/"}})
    if content is not None:
        project.write("destinations/mine.yaml", content)
    project.records([{"id": 1}])
    return project.try_haulier("run", given, "--records", "records.jsonl", "--activate")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """All of them at once, as above."""
    roots = [tmp_path_factory.mktemp("broken") / "project" for _ in BROKEN]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(BROKEN, pool.map(try_broken, roots, BROKEN), strict=True))


@pytest.mark.parametrize("what", BROKEN)
def test_a_missing_or_broken_destination_file(what: str, broken: dict[str, Ended]) -> None:
    """The message names the file and, where there is one, the line; a wrong name gives the names there are."""
    ended = broken[what].expect(2)
    for text in BROKEN[what][2]:
        assert any(way in ended.said for way in text.split("|")), ended.said


def test_a_folder_that_is_no_project(project: Project) -> None:
    """It says which file is missing and how to make one."""
    (project.root / "haulier.yaml").unlink()
    ended = project.haulier("run", "mine", "--records", "-", code=2)
    assert "no haulier.yaml in" in ended.said
    assert "haulier init" in ended.said


# -- records ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bad:
    """One bad record and what its reason must say."""

    line: str
    says: tuple[str, ...]


@dataclass(frozen=True)
class BadRecords:
    """Bad records of one destination. good: what arrives of the good ones before, between and after them."""

    settings: dict[str, Any]
    bad: tuple[Bad, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    good: str = '{"id": "good", "file": "good.png", "word": "fine"}'


BAD_RECORDS = {
    "lines that are no records": BadRecords(
        request(),
        (
            Bad('{"id": 1', ("JSON",)),
            Bad("[1, 2]", ("object",)),
            Bad('"text"', ("object",)),
            Bad('{"id": NaN}', ("NaN",)),
            Bad('{"id": Infinity}', ("JSON|finite|Infinity",)),
            Bad('{"id": 1} {"id": 2}', ("JSON|trailing",)),
            Bad('{"id": "\\ud800"}', ("surrogate",)),
        ),
    ),
    "values for the path": BadRecords(
        request(url="{server}/in/{record.id}/x"),
        (
            Bad('{"other": 1}', ("{record.id}", "missing")),
            Bad('{"id": null}', ("{record.id}", "null")),
            Bad('{"id": ""}', ("{record.id}", "empty")),
            Bad('{"id": "."}', ("{record.id}", "'.'|`.`")),
            Bad('{"id": ".."}', ("{record.id}", "'..'|`..`")),
            Bad('{"id": "%2e%2E"}', ("{record.id}", "%2e%2E")),
            Bad('{"id": "a\\\\..\\\\b"}', ("{record.id}", "..")),
            Bad('{"id": "a\\r\\nb"}', ("{record.id}", "U+000D|line break|control")),
            Bad('{"id": {"a": 1}}', ("{record.id}", "object|nested|mapping")),
        ),
    ),
    "values for headers": BadRecords(
        request(headers="X-Word:{record.word}"),
        (
            Bad('{"word": "a\\r\\nX-Evil: 1"}', ("X-Word", "line break (U+000D)")),
            Bad('{"word": "a\\nb"}', ("X-Word", "line break (U+000A)")),
            Bad('{"word": "日本"}', ("X-Word", "ASCII")),
            Bad('{"id": 1}', ("header X-Word", "`word` is missing")),
        ),
    ),
    "files": BadRecords(
        {"files_root": "pictures", **request(content_format="multipart", files={"image": "{record.file}"})},
        (
            Bad('{"file": "nope.png"}', ("nope.png", "no such file")),
            Bad('{"file": "../secret.txt"}', ("../secret.txt", "relative to files_root")),
            Bad('{"file": "/etc/passwd"}', ("/etc/passwd", "outside|below")),
            Bad('{"file": "link.png"}', ("link.png", "outside|below")),
            Bad('{"file": ".hidden"}', (".hidden", "dot")),
            Bad('{"file": "folder"}', ("folder", "regular|folder")),
            Bad('{"file": ""}', ("image", "is no path")),
            Bad('{"other": 1}', ("image", "`file` is missing")),
        ),
        {
            "pictures/good.png": png(2, 2),
            "secret.txt": b"x",
            "pictures/.hidden": b"x",
            "pictures/folder/x": b"x",
        },
    ),
}


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_bad_records_stop_only_themselves(what: str, project: Project, server: RecordingServer) -> None:
    """Each is rejected with its line number and the reason; the good ones around them arrive; exit 4."""
    case = BAD_RECORDS[what]
    written = json.loads(json.dumps(case.settings).replace("{server}", server.url))
    written["request"] = {"method": "POST", "url": server.url + "/in", **written["request"]}
    project.destination("mine", written | {"limits": QUICK})
    for path, content in case.files.items():
        project.write(path, content)
    if case.files:
        (project.root / "pictures/link.png").symlink_to(project.root / "secret.txt")
    # A blank line first: line numbers count it, positions do not.
    lines = ["", case.good, *(line for bad in case.bad for line in (bad.line, case.good))]
    project.write("records.jsonl", "\n".join(lines) + "\n")
    ended = project.haulier(*RUN, "--json", code=4)
    told = list(dead_letters("mine"))
    assert len(server.seen) == 1 + len(case.bad)
    assert all("x-evil" not in name.lower() for seen in server.seen for name, _ in seen.headers)
    assert (ended.json["delivered"], ended.json["rejected"]) == (1 + len(case.bad), len(case.bad))
    for number, (bad, letter) in enumerate(zip(case.bad, told, strict=True)):
        assert (letter.position, letter.state) == (2 * number + 1, "rejected")
        assert f"line {2 * number + 3}" in letter.reason, letter
        for text in bad.says:
            assert any(way in letter.reason for way in text.split("|")), (bad.line, letter.reason)


def test_csv_rows_that_do_not_fit(project: Project, server: RecordingServer) -> None:
    """A row with a wrong number of columns is rejected with its line; an unclosed quote ends the input there."""
    project.destination("mine", {"request": {"url": server.url}, "limits": QUICK})
    project.write("records.csv", "id,word\n1,a\n2\n3,c,d\n4,e\n")
    ended = project.haulier("run", "mine", "--records", "records.csv", "--activate", "--json", code=4)
    assert sorted(seen.json["id"] for seen in server.seen) == ["1", "4"]
    assert (ended.json["delivered"], ended.json["rejected"]) == (2, 2)
    letters = project.haulier("dead-letters", "list", "mine", "--json").json["dead_letters"]
    assert ["line 3" in letters[0]["reason"], "line 4" in letters[1]["reason"]] == [True, True], letters
    server.clear()
    project.write("open.csv", 'id,word\n5,a\n6,"never closed\n')
    ended = project.haulier("run", "mine", "--records", "open.csv", code=3)
    assert "open.csv" in ended.said
    assert "line 3" in ended.said
    assert "quote" in ended.said


def test_an_array_that_breaks_off(project: Project, server: RecordingServer) -> None:
    """What was read before stands; the run stops, resumably, and says where it broke."""
    project.destination("mine", {"request": {"url": server.url}, "limits": QUICK})
    project.write("records.json", '[{"id": 1}, {"id": 2}, {"id": ')
    ended = project.haulier("run", "mine", "--records", "records.json", "--activate", code=3)
    assert "records.json" in ended.said
    assert "Traceback" not in ended.said


# -- servers ---------------------------------------------------------------------------------------------------------


def stop(project: Project, url: str, **settings: Any) -> tuple[str, dict[str, Any]]:
    """Run two records to a server that is no help; what was said, and the report."""
    project.destination(
        "mine", {"request": {"url": f"{url}/in"}, "limits": QUICK, "retry": HASTY, **settings}
    )
    project.records([{"id": 1}, {"id": 2}])
    ended = project.haulier(*RUN, "--json", code=3)
    assert (ended.json["state"], ended.json["read"], ended.json["delivered"]) == ("stopped", 2, 0)
    assert (ended.json["rejected"], ended.json["in_doubt"]) == (0, 0), "a bad night dead-letters nobody"
    return ended.json["reason"], ended.json


def test_an_unreachable_host(project: Project) -> None:
    """The run stops and names the address and what failed."""
    port = free_port()
    reason, _ = stop(project, f"http://127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in reason


def test_a_host_that_does_not_exist(project: Project) -> None:
    """A name nobody knows is named."""
    reason, _ = stop(project, "http://no-such-host.invalid")
    assert "no-such-host.invalid" in reason


def close_at_once(connection: socket.socket) -> None:
    """Read a little, then hang up."""
    connection.recv(1 << 16)
    connection.close()


def break_off(connection: socket.socket) -> None:
    """Begin an answer and hang up."""
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    connection.close()


def break_off_the_body(connection: socket.socket) -> None:
    """Take it, and hang up in the middle of saying so."""
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    connection.close()


def stall(connection: socket.socket) -> None:
    """Read, and never answer."""
    connection.recv(1 << 16)
    time.sleep(30)


def babble(connection: socket.socket) -> None:
    """Answer what is no HTTP."""
    connection.recv(1 << 16)
    connection.sendall(b"220 mail.example.com ESMTP\r\n\r\n")
    time.sleep(60)


ODD: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "closes": (close_at_once, "disconnect|closed|without"),
    "breaks off": (break_off, "disconnect|closed|without|broke off"),
    "stalls": (stall, "timed out|timeout|Timeout|no answer|silen"),
    "answers no HTTP": (babble, "HTTP|protocol|illegal"),
}


@pytest.mark.parametrize("what", ODD)
def test_a_server_that(what: str, project: Project) -> None:
    """The run stops, resumably, and says what the server did; nothing is taken for delivered or rejected."""
    hold, says = ODD[what]
    with OddServer(hold) as server:
        timeout_s = 0.15 if hold is stall else 30
        reason, report = stop(project, server.url, timeout_s=timeout_s, answers="json")
        assert server.url.removeprefix("http://") in reason
        assert any(way in reason for way in says.split("|")), reason
        assert report["attempts"] >= 2, "it was tried again"


def test_a_server_that_breaks_off_in_the_middle_of_a_success(project: Project) -> None:
    """It was taken, and nobody knows what it came to: in doubt, and never sent again by itself."""
    with OddServer(break_off_the_body) as server:
        project.destination(
            "mine", {"request": {"url": f"{server.url}/in"}, "answers": "json", "limits": QUICK}
        )
        project.records([{"id": 1}, {"id": 2}])
        ended = project.haulier(*RUN, "--json", code=5)
        assert (ended.json["in_doubt"], ended.json["attempts"]) == (2, 2)
    assert "broke off" in project.haulier("dead-letters", "list", "mine").out


def test_a_server_that_answers_with_a_web_page(project: Project, imagga: Imagga) -> None:
    """Where JSON is expected a page stops the run before the first success, naming the setting to look at."""
    imagga.emulator.faults.add(Fault.html(count=None))
    project.add_credential(imagga.url, name="key")
    project.destination(
        "mine",
        imagga.to("tag-image", credential="key", params={"image_url": "https://example.com/{record.id}.jpg"}),
    )
    project.records([{"id": 1}, {"id": 2}])
    ended = project.haulier(*RUN, "--json", code=3)
    assert "web page" in ended.json["reason"]
    assert "base_url" in ended.json["reason"]
    assert (len(imagga.requests), ended.json["pending"]) == (1, 2), "it stops at once"


def test_a_server_that_redirects(project: Project, server: RecordingServer) -> None:
    """Redirects are never followed; the run stops and names the place."""
    server.answer = lambda _: Reply(302, b"", {"Location": "https://login.example.com/here"})
    reason, _ = stop(project, server.url)
    assert "302" in reason
    assert "https://login.example.com/here" in reason
    assert "request.url" in reason
    assert len(server.seen) == 1


def test_a_wrong_key(project: Project, imagga: Imagga) -> None:
    """The first 401 stops the run, resumably; the message says what to look at, and holds no secret."""
    project.add_credential(imagga.url, name="key", secret="not-the-secret")
    params = {"image_url": "https://example.com/{record.id}.jpg"}
    project.destination("mine", imagga.to("tag-image", credential="key", params=params))
    project.records([{"id": number} for number in range(20)])
    ended = project.haulier(*RUN, code=3)
    assert "401" in ended.said
    assert "haulier credential check" in ended.said
    assert "not-the-secret" not in ended.out + ended.err
    assert [one.status for one in imagga.requests] == [401], "at once"
    project.add_credential(imagga.url, name="key")
    ended = project.haulier("run", "mine", "--records", "records.jsonl", "--json")
    assert ended.json["delivered"] == 20, "mended, the same command goes on"


def test_a_credential_for_another_server(project: Project, imagga: Imagga, server: RecordingServer) -> None:
    """A destination that leads elsewhere does not get it; the message has the command that would allow it."""
    project.add_credential(imagga.url, name="key")
    project.destination("mine", imagga.to("usage", credential="key") | {"base_url": server.url})
    project.records([{}])
    ended = project.haulier(*RUN, code=2)
    assert f"is bound to {imagga.url} and is not sent to {server.url}" in ended.said
    assert f"haulier credential add imagga --name NAME --origin {server.url}" in ended.said
    assert server.connections == 0
