"""Bad input never ends in a traceback: the message names file, line or setting, the value, and the way out."""

from __future__ import annotations

import json

import pytest
from tests.cli.running import Answer, Project, Server
from tests.ports import free_port

URL = "http://127.0.0.1:9/x"
HAND = f"request: {{method: POST, url: '{URL}'}}\n"
IMAGGA = "connector: imagga\ncredential: demo\nendpoint: "

# name -> destination file, what the message must say
FILES = {
    "unknown-key": ("urll: x\n", "destinations/broken.yaml:1: unknown key `urll`"),
    "no-mapping": ("- a\n", "destinations/broken.yaml:1: not a mapping"),
    "broken-yaml": ("connector: [a\n", "destinations/broken.yaml:"),
    "two-ways": (HAND + "endpoint: x\n", "write either `endpoint: NAME`"),
    "connector": (
        "connector: imaga\nendpoint: tag-image\n",
        "unknown connector 'imaga'; did you mean 'imagga'?",
    ),
    "endpoint": (IMAGGA + "tag-imag\n", "unknown endpoint of imagga 'tag-imag'; did you mean 'tag-image'?"),
    "parameter": (
        IMAGGA + "tag-image\nparams: {image_ur: x}\n",
        "params.image_ur: endpoint tag-image has no such parameter",
    ),
    "missing-parameter": (IMAGGA + "delete-upload\n", "params.uploadId is missing"),
    "empty-path-value": (IMAGGA + "delete-upload\nparams: {uploadId: ''}\n", "params.uploadId is empty"),
    "dot-path-value": (IMAGGA + "delete-upload\nparams: {uploadId: '..'}\n", "uploadId is `..`"),
    "dot-segment": (
        "request: {method: DELETE, url: 'http://h/v2/../x'}\n",
        "a path segment of http://h/v2/../x is `..`",
    ),
    "choice": (
        IMAGGA + "tag-image\nparams: {image_url: x, language: xx}\n",
        "params.language: 'xx' is not allowed",
    ),
    "credential": (IMAGGA + "tag-image\nparams: {image_url: x}\n", "no credential `demo`"),
    "no-credential": (
        "connector: imagga\nendpoint: usage\n",
        "needs a credential; store one with `haulier credential add imagga",
    ),
    "content-format": ("request: {url: 'http://h/x', content_format: jsn}\n", "unknown content format 'jsn'"),
    "grouping": (
        HAND + "batching: {grouping: arry}\n",
        "unknown grouping algorithm 'arry'; did you mean 'array'?",
    ),
    "grouping-setting": (HAND + "batching: {grouping: {name: property}}\n", "property_name"),
    "other-props": (
        HAND + "batching: {grouping: {name: property, property_name: r, other_props: '{\"a\": '}}\n",
        "other_props is no JSON",
    ),
    "batch-size": (HAND + "batching: {size: 0}\n", "destinations/broken.yaml:2: `batching.size` is 0"),
    "header-pair": (HAND + "headers: 'X-A'\n", "X-A"),
    "header-line-break": (HAND + 'headers: {X-A: "a\\r\\nX-B: b"}\n', "X-A"),
    "pointer": (
        HAND + "success_when: {at: '/tags/~2', is: ok}\n",
        '`success_when.at` is "/tags/~2" and must be a JSON pointer: begin it with `/`',
    ),
    "column": (
        HAND + "outputs: [{to: csv, path: x.csv, columns: {a: /a~2}}]\n",
        "outputs csv.columns: column a: /a~2 is no JSON pointer",
    ),
    "condition-null": (
        HAND + "outputs: [{to: jsonl, path: x.jsonl, when: {at: /a, is: [null]}}]\n",
        "outputs jsonl.when.is: cannot be null: write `absent: true` in place of `is`",
    ),
    "condition-mapping": (
        HAND + "outputs: [{to: jsonl, path: x.jsonl, when: {at: /a, is: {a: 1}}}]\n",
        "outputs jsonl.when.is: must be a text, a whole number, true or false, or a list of such values",
    ),
    "url-scheme": ("request: {url: 'ftp://h/x'}\n", "ftp://h/x"),
    "url-host": ("request: {url: 'https://{record.host}/x'}\n", "host"),
    "expression": ("request: {url: 'http://h/{recrd.x}'}\n", "recrd"),
    "output": (HAND + "outputs: [{to: jsnl, path: x}]\n", "unknown output 'jsnl'"),
    "output-outside": (HAND + "outputs: [{to: jsonl, path: ../../x.jsonl}]\n", "../../x.jsonl"),
    "files-root": (
        "connector: imagga\nendpoint: upload-image\nparams: {image: '{record.file}'}\n",
        "files_root",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_destination_that_does_not_hold_is_refused_with_the_way_out(project: Project, case: str) -> None:
    text, said = FILES[case]
    project.destination("broken", text)
    told = project.run("run", "broken", "--records", project.records(1), "--activate")
    assert told.code == 2, told
    assert told.out == ""
    assert said in told.err
    assert "haulier: " in told.err


def test_a_destination_that_is_not_there_is_named_with_those_that_are(project: Project) -> None:
    project.post("orders", URL)
    for words in (("preview", "order"), ("plan", "order"), ("run", "order"), ("test", "order")):
        told = project.run(*words, "--records", project.records(1))
        assert (told.code, told.out) == (2, "")
        assert "no destination `order` in destinations; did you mean `orders`?" in told.err
    told = project.run("activate", "nothing-like-it")
    assert (told.code, told.err) == (
        2,
        "haulier: no destination `nothing-like-it` in destinations; known: orders\n",
    )


def test_without_a_project_the_way_to_one_is_told(project: Project) -> None:
    (project.root / "haulier.yaml").unlink()
    for words in (
        ("destination", "list"),
        ("credential", "list"),
        ("runs",),
        ("activate", "x"),
        ("report", "x"),
    ):
        told = project.run(*words)
        assert told.code == 2
        assert "make a project with: haulier init" in told.err


def test_names_that_would_lead_out_of_the_project_are_no_names(project: Project) -> None:
    told = project.run("activate", "../../etc")
    assert told.code == 2
    assert "destination name '../../etc': a name is lower-case words" in told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("endpoints", "imaga"), "unknown connector 'imaga'"),
        (("endpoints", "imagga", "tags"), "unknown endpoint of imagga 'tags'"),
        (("connectors", "imaga"), "unknown connector 'imaga'"),
        (("encoders", "jsn"), "unknown content format 'jsn'"),
        (("groupings", "arry"), "unknown grouping algorithm 'arry'"),
        (("report", "abc"), "no run 'abc'"),
        (("dead-letters", "list", "abc"), "no run 'abc'"),
        (("credential", "add", "imaga"), "unknown credential type 'imaga'"),
        (("credential", "check", "nobody"), "no credential `nobody`"),
        (("credential", "remove", "nobody"), "no credential `nobody`"),
        (("destination", "show", "nothing"), "no destination `nothing`"),
        (("run",), "Missing argument 'DEST'"),
        (("run", "x"), "give the records with --records FILE"),
        (("run", "x", "--records", "r", "--param", "a"), "'a' is not name=value"),
        (("run", "x", "--records", "r", "--limit", "-1"), "'--limit'"),
        (("follow", "x", "--timeout", "nan"), "nan is no number of seconds"),
        (("follow", "x", "--timeout", "inf"), "inf is no number of seconds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_typed_wrongly_is_named(project: Project, words: tuple[str, ...], said: str) -> None:
    told = project.run(*words)
    assert (told.code, told.out) == (2, "")
    assert said in told.err


def test_records_that_are_not_there_or_of_an_unknown_format_are_named(project: Project) -> None:
    project.post("orders", URL)
    assert "nope.jsonl" in project.run("preview", "orders", "--records", "nope.jsonl").err
    told = project.run("preview", "orders", "--records", project.records(1), "--format", "xml")
    assert (told.code, "format 'xml' is not known" in told.err) == (2, True)


def test_a_malformed_line_rejects_that_record_with_its_line_number_and_the_rest_goes_on(
    project: Project, server: Server
) -> None:
    project.post("orders", f"{server.url}/orders", "limits: {max_in_flight: 1}\n")
    (project.root / "mixed.jsonl").write_text('{"n": 0}\n\nnot json\n{"n": NaN}\n{"n": 3}\n')
    told = project.run("run", "orders", "--records", "mixed.jsonl", "--activate", "--json")
    assert told.code == 4
    counts = {name: told.json[name] for name in ("read", "delivered", "rejected", "pending", "sending")}
    assert counts == {"read": 4, "delivered": 2, "rejected": 2, "pending": 0, "sending": 0}
    assert server.bodies == [{"n": 0}, {"n": 3}]
    letters = project.run("dead-letters", "list", "orders", "--json").json["dead_letters"]
    assert [(one["position"], one["reason"].partition(":")[0], one["text"]) for one in letters] == [
        (1, "line 3", "not json"),
        (2, "line 4", '{"n": NaN}'),
    ]


def test_a_path_value_from_a_record_cannot_steer(project: Project, server: Server) -> None:
    project.destination(
        "thing", f"request: {{method: DELETE, url: '{server.url}/v2/things/{{record.id}}'}}\n"
    )
    (project.root / "ids.jsonl").write_text('{"id": ".."}\n{"id": ""}\n{"id": "."}\n{}\n{"id": "a/b"}\n')
    told = project.run("run", "thing", "--records", "ids.jsonl", "--activate", "--yes", "--json")
    assert (told.code, told.json["rejected"], told.json["delivered"]) == (4, 4, 1)
    assert [path for _, path, _, _ in server.seen] == ["/v2/things/a%2Fb"]


def test_a_file_outside_files_root_or_missing_rejects_its_record(project: Project, server: Server) -> None:
    (project.root / "pictures").mkdir()
    (project.root / "pictures" / "a.jpg").write_bytes(b"\xff\xd8\xff")
    (project.root / "secret.txt").write_text("s")
    project.destination(
        "upload",
        f"request: {{method: POST, url: '{server.url}/up', content_format: multipart, attributes: none, "
        "files: {image: '{record.file}'}}\nfiles_root: pictures\n",
    )
    (project.root / "files.jsonl").write_text(
        '{"file": "../secret.txt"}\n{"file": "none.jpg"}\n{"file": "a.jpg"}\n'
    )
    told = project.run("run", "upload", "--records", "files.jsonl", "--activate", "--json")
    assert (told.code, told.json["rejected"], told.json["delivered"], len(server.seen)) == (4, 2, 1, 1)


def test_an_unreachable_host_stops_the_run_resumably_and_rejects_nobody(project: Project) -> None:
    port = free_port()
    project.post("orders", f"http://127.0.0.1:{port}/x", "retry: {attempts: 2, base_s: 0}\n")
    told = project.run("run", "orders", "--records", project.records(8), "--activate", "--json")
    assert told.code == 3
    assert (told.json["state"], told.json["pending"], told.json["rejected"]) == ("stopped", 8, 0)
    assert f"127.0.0.1:{port}" in told.json["reason"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {}, b"{}"), "401"),
        ((403, {}, b"{}"), "403"),
        ((302, {"Location": "http://elsewhere.example/"}, b""), "http://elsewhere.example/"),
        ((200, {"Content-Type": "text/html"}, b"<!doctype html><html>log in</html>"), "web page"),
    ],
    ids=["wrong-key", "forbidden", "redirect", "web-page"],
)
def test_answers_that_only_a_person_can_mend_stop_the_run(
    project: Project, server: Server, answer: Answer, said: str
) -> None:
    server.reply = lambda path, body: answer
    project.post("orders", f"{server.url}/x", "answers: json\n")
    told = project.run("run", "orders", "--records", project.records(3), "--activate")
    assert told.code == 3, told
    assert said in told.out
    assert "to go on: the same command again" in told.out
    assert len(server.seen) <= 2


def test_control_characters_from_outside_reach_no_terminal(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (400, {}, b'{"error": "\x1b]0;owned\x07 \xc2\x9b31m"}')
    project.post("orders", f"{server.url}/x", "key: sku\n")
    (project.root / "r.jsonl").write_text('{"sku": "\\u001b[31mred\\u202e"}\n')
    for words in (
        ("test", "orders", "--records", "r.jsonl"),
        ("preview", "orders", "--records", "r.jsonl", "--full"),
        ("run", "orders", "--records", "r.jsonl", "--activate"),
        ("dead-letters", "list", "orders"),
        ("dead-letters", "show", "orders", "0"),
        ("report", "orders"),
    ):
        told = project.run(*words)
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(told.out + told.err), words


def test_a_damaged_ledger_is_named(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    assert project.run("run", "orders", "--records", project.records(1), "--activate").code == 0
    (project.root / ".haulier" / "orders" / "ledger.db").write_bytes(b"this is no database" * 100)
    for words in (("runs",), ("report", "orders"), ("run", "orders", "--records", "records.jsonl")):
        told = project.run(*words)
        assert told.code == 2
        assert "ledger" in told.err


def test_a_damaged_ledger_hides_no_other_one(project: Project, server: Server) -> None:
    for name in ("orders", "returns"):
        project.post(name, f"{server.url}/x")
        assert project.run("run", name, "--records", project.records(1), "--activate").code == 0
    run_id = json.loads(project.run("runs", "--json", "--destination", "returns").out)["runs"][0]["run_id"]
    (project.root / ".haulier" / "orders" / "ledger.db").write_bytes(b"this is no database" * 100)
    listed = project.run("runs")
    assert (listed.code, run_id[:12] in listed.out, "orders: " in listed.err) == (2, True, True)
    told = json.loads(project.run("runs", "--json").out)
    assert ([run["run_id"] for run in told["runs"]], len(told["unread"])) == ([run_id], 1)
    assert project.run("report", "returns").code == project.run("report", run_id[:8]).code == 0
    assert "cannot read the ledger" in project.run("report", "nothing").err
    pruned = project.run("runs", "prune", "--json").json["destinations"]
    assert [(one["destination"], one["removed"], bool(one["busy"])) for one in pruned] == [
        ("orders", [], True),
        ("returns", [], False),
    ]


def test_a_ledger_that_is_damaged_inside_keeps_no_other_one_from_being_pruned(
    project: Project, server: Server
) -> None:
    """Opening it works, as only its tables are damaged."""
    for name in ("orders", "returns"):
        project.post(name, f"{server.url}/x")
        for count in (1, 2):
            records = project.records(count)
            assert project.run("run", name, "--records", records, "--activate").code == 0
    ledger = project.root / ".haulier" / "orders" / "ledger.db"
    content = ledger.read_bytes()
    ledger.write_bytes(content[:8192] + b"\xff" * (len(content) - 8192))
    pruned = project.run("runs", "prune", "--keep", "1", "--json").json["destinations"]
    assert [(one["destination"], len(one["removed"])) for one in pruned] == [("orders", 0), ("returns", 1)]
    assert "it is damaged: put a copy of it in its place" in pruned[0]["busy"]
