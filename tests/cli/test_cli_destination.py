"""`haulier destination`: made in two ways into one kind of file, shown, listed and checked."""

from __future__ import annotations

import json

import pytest
from tests.cli.running import Project, Server

from haulier.io.destinations import load_destination
from haulier.model.destination import Destination


def made(project: Project, name: str) -> Destination:
    return load_destination(project.root / "destinations" / f"{name}.yaml")


def test_a_destination_is_made_from_a_template(project: Project) -> None:
    words = (
        *(
            "destination",
            "new",
            "tag-it",
            "--connector",
            "imagga",
            "--endpoint",
            "tag-image",
            "--credential",
            "prod",
        ),
        *(
            "--key",
            "sku",
            "--param",
            "image_url={record.url}",
            "--param",
            "limit=5",
            "--param",
            "verbose=true",
        ),
        *("--param", "language=no", "--output", "jsonl:out/tags.jsonl", "--set", "limits.max_in_flight=2"),
    )
    told = project.run(*words)
    assert told.code == 0, told.err
    assert told.out == (project.root / "destinations" / "tag-it.yaml").read_text()
    assert made(project, "tag-it").model_dump(exclude_unset=True) == {
        "connector": "imagga",
        "endpoint": "tag-image",
        "credential": "prod",
        "key": "sku",
        "params": {"image_url": "{record.url}", "limit": 5, "verbose": True, "language": "no"},
        "outputs": [{"to": "jsonl", "path": "out/tags.jsonl"}],
        "limits": {"max_in_flight": 2},
    }
    again = project.run(*words)
    assert (again.code, "is there already: edit destinations/tag-it.yaml" in again.err) == (2, True)


def test_a_destination_is_made_by_hand(project: Project) -> None:
    told = project.run(
        *("destination", "new", "orders", "--url", "https://shop.example.com/{record.id}", "--method", "put"),
        *(
            "--content-format",
            "json",
            "--headers",
            "X-A:1,X-B:2",
            "--exclude",
            "note, internal",
            "--batch-size",
            "50",
        ),
        *("--grouping", "property", "--grouping-setting", "property_name=rows"),
        *("--grouping-setting", 'other_props={"source": "x"}', "--json"),
    )
    assert told.code == 0, told.err
    assert (told.json["shape"], told.json["name"], told.json["warnings"]) == (1, "orders", [])
    assert made(project, "orders").model_dump(exclude_unset=True) == {
        "request": {
            "url": "https://shop.example.com/{record.id}",
            "method": "PUT",
            "content_format": "json",
            "headers": "X-A:1,X-B:2",
        },
        "exclude": ["note", "internal"],
        "batching": {
            "size": 50,
            "grouping": {"name": "property", "property_name": "rows", "other_props": {"source": "x"}},
        },
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--url", "https://h/x"), "give the destination a name"),
        (("x",), "name an endpoint with --endpoint"),
        (("x", "--connector", "imagga"), "name an endpoint with --endpoint"),
        (("x", "--connector", "imaga", "--endpoint", "tag-image"), "unknown connector 'imaga'"),
        (
            ("x", "--connector", "imagga", "--endpoint", "tag-image"),
            "takes exactly one of image_url, image_upload_id",
        ),
        (("x", "--connector", "imagga", "--endpoint", "usage", "--method", "POST"), "is a GET by itself"),
        (
            ("x", "--connector", "imagga", "--endpoint", "usage", "--url", "https://h/"),
            "two ways to the same thing",
        ),
        (("x", "--url", "ftp://h/x"), "ftp://h/x"),
        (("x", "--url", "https://h/x", "--headers", "X-A"), "X-A"),
        (("x", "--url", "https://h/x", "--batch-size", "0"), "--batch-size"),
        (("x", "--url", "https://h/x", "--grouping", "arry"), "unknown grouping algorithm 'arry'"),
        (("x", "--url", "https://h/x", "--output", "out.jsonl"), "write TYPE:PATH"),
        (("x", "--url", "https://h/x", "--set", "limts.x=1"), "unknown key `limts`"),
        (("x", "--url", "https://h/x", "--set", "request.url.x=1"), "is no mapping"),
        (("../x", "--url", "https://h/x"), "destination name '../x'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_hold_is_refused_and_nothing_is_written(
    project: Project, words: tuple[str, ...], said: str
) -> None:
    told = project.run("destination", "new", *words)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
    assert list((project.root / "destinations").iterdir()) == []


def test_a_dry_run_shows_the_file_and_writes_none(project: Project) -> None:
    told = project.run("destination", "new", "orders", "--url", "https://h.example/x", "--dry-run")
    assert (told.code, told.out) == (0, '# Where records go\nrequest:\n  url: "https://h.example/x"\n')
    assert list((project.root / "destinations").iterdir()) == []


def test_warnings_of_a_request_by_hand_are_shown_and_stop_nothing(project: Project) -> None:
    url = "https://api.imagga.com/v2/tags"
    told = project.run(
        "destination", "new", "tags", "--connector", "imagga", "--url", url, "--content-format", "json"
    )
    assert told.code == 0
    assert "warning: /v2/tags is not known to take json" in told.err


def test_list_shows_every_destination_the_broken_one_too(project: Project, server: Server) -> None:
    project.post("orders", f"{server.url}/x")
    project.destination(
        "tags", "connector: imagga\nendpoint: tag-image\ncredential: prod\nparams: {image_url: x}\n"
    )
    project.destination("broken", "urll: x\n")
    assert project.run("activate", "orders").code == 0
    told = project.run("destination", "list", "--json")
    assert told.json["shape"] == 1
    listed = {one.pop("name"): one for one in told.json["destinations"]}
    assert "unknown key `urll`" in listed.pop("broken")["error"]
    assert listed == {
        "orders": {"activation": "active", "goes_to": f"POST {server.url}/x", "credential": "", "error": ""},
        "tags": {"activation": "new", "goes_to": "imagga / tag-image", "credential": "prod", "error": ""},
    }
    shown = project.run("destination", "list").out
    assert "broken: does not hold: destinations/broken.yaml:1: unknown key `urll`" in shown


def test_show_tells_what_settings_come_to_and_no_secret(project: Project) -> None:
    more = (
        "headers: {X-Api-Key: abcdef123}\nkey: sku\nbatching: {size: 7}\nlimits: {requests_per_second: 2}\n"
    )
    project.post("orders", "https://shop.example.com/x", more)
    told = project.run("destination", "show", "orders")
    assert told.code == 0
    assert "abcdef123" not in told.out
    for line in (
        "sends       POST https://shop.example.com/x, body json",
        "records     up to 7 a request, grouping array",
        "limits      2 requests a second",
        '  key: "sku"',
    ):
        assert f"{line}\n" in told.out
    assert project.run("destination", "show", "orders", "--json").json["settings"]["headers"] == "[secret]"


def test_numbers_are_shown_as_they_were_written_to_machines_too(project: Project) -> None:
    project.post("orders", "https://shop.example.com/x", "add: {v: 1.10, w: [1.50, {z: 2.0}], n: 7}\n")
    shown = project.run("destination", "show", "orders", "--json").out
    assert '"add": {"v": 1.10, "w": [1.50, {"z": 2.0}], "n": 7}' in shown
    assert json.loads(shown)["settings"]["add"] == {"v": 1.1, "w": [1.5, {"z": 2.0}], "n": 7}


def test_check_finds_what_would_keep_a_run_from_beginning(project: Project, server: Server) -> None:
    project.post("good", f"{server.url}/x")
    project.post("bad", f"{server.url}/x", "credential: nobody\n")
    told = project.run("destination", "check", "--json")
    assert (told.code, {one["destination"]: one["ok"] for one in told.json["checked"]}) == (
        2,
        {"bad": False, "good": True},
    )
    good = project.run("destination", "check", "good")
    assert (good.code, good.out, server.seen) == (0, "good: ok\n", [])
    bad = project.run("destination", "check", "bad")
    assert bad.code == 2
    assert "problem: no credential `nobody`" in bad.out


@pytest.mark.parametrize(
    "words", ["destination check", "destination list", "destination show", "dead-letters list", "report"]
)
def test_a_file_whose_name_is_none_is_to_be_renamed_whoever_asks_for_it(project: Project, words: str) -> None:
    project.post("w_at", "http://127.0.0.1:9/x")
    told = project.run(*words.split(), *(["w_at"] if words != "destination list" else []))
    said = " ".join((told.out + told.err).split())
    assert "destinations/w_at.yaml: destination name 'w_at': a name is lower-case words" in said
    assert "such as tag-images; rename the file" in said
    assert "begin with" not in said
