"""Destination files: every key that does not hold is named with its line, and writing keeps every value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import ConfigurationError, DestinationError
from haulier.io.destinations import (
    ListedDestination,
    destination_from,
    destination_schema,
    dump_destination,
    list_destinations,
    load_destination,
    save_new,
)
from haulier.io.project import Project
from haulier.io.yaml_file import read_yaml
from haulier.model.destination import (
    Batching,
    Destination,
    GroupingChoice,
    Limits,
    ManualRequest,
    OutputChoice,
)

EXAMPLE = """\
connector: imagga
endpoint: tag-image
credential: imagga-prod
key: sku
params: {image_url: "{record.url}", language: no}
exclude: [internal_note]
batching: {size: 100, grouping: {name: property, property_name: records, other_props: {source: catalog}}}
limits: {requests_per_second: 1, max_in_flight: 1}
outputs: [{to: jsonl, path: out/responses.jsonl}, {to: webhook, url: "http://127.0.0.1:9000/hook"}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    made, _ = Project.init(tmp_path)
    return made


def write(project: Project, text: str, name: str = "tag") -> Path:
    path = project.destinations / f"{name}.yaml"
    path.write_text(text)
    return path


def refusal(project: Project, text: str) -> str:
    with pytest.raises(DestinationError) as caught:
        load_destination(write(project, text))
    return str(caught.value).replace("destinations/tag.yaml:", "")


def test_a_file_is_read_as_the_destination_it_describes(project: Project) -> None:
    assert load_destination(write(project, EXAMPLE)) == Destination(
        name="tag",
        connector="imagga",
        endpoint="tag-image",
        credential="imagga-prod",
        key="sku",
        params={"image_url": "{record.url}", "language": "no"},
        exclude=["internal_note"],
        batching=Batching(
            size=100,
            grouping=GroupingChoice.model_validate(
                {"name": "property", "property_name": "records", "other_props": {"source": "catalog"}}
            ),
        ),
        limits=Limits(requests_per_second=1.0, max_in_flight=1),
        outputs=[
            OutputChoice.model_validate({"to": "jsonl", "path": "out/responses.jsonl"}),
            OutputChoice.model_validate({"to": "webhook", "url": "http://127.0.0.1:9000/hook"}),
        ],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("batchin: {size: 1}", "2: unknown key `batchin`; did you mean `batching`?"),
        ("size: 4", "2: unknown key `size`; it belongs into `batching`"),
        (
            "limits: {\n  speed: 3}",
            "3: unknown key `speed` in `limits`; known are requests_per_second, max_in_flight, patience_s",
        ),
        ("batching:\n  size: 0", "3: `batching.size` is 0 and must be at least 1"),
        ("batching:\n  grouping: {nam: x}", "3: `batching.grouping` needs `name`"),
        ("batching: 5", "2: `batching` is 5 and must be a mapping of keys or true or false"),
        (
            "limits:",
            "2: `limits` is empty and must be a mapping of keys; write a value, or leave the line out",
        ),
        (
            "transport: http9",
            "2: `transport` is \"http9\" and must be 'auto', 'http1' or 'httpx'; did you mean 'httpx'?",
        ),
        (
            "override_authorization: yes",
            '2: `override_authorization` is "yes" and must be true or false (`yes` is a word)',
        ),
        ("exclude: note", '2: `exclude` is "note" and must be a list; write it in brackets, such as [a, b]'),
        (
            "outputs: {to: jsonl}",
            '2: `outputs` is {"to": "jsonl"} and must be a list; write it in brackets, such as [{...}]',
        ),
        (
            "add: [a]",
            '2: `add` is ["a"] and must be a mapping of keys; write it in brackets, such as {name: value}',
        ),
        (
            "params: {url: {record.url}}",
            "2: `params.url` (its value is not shown) must be text, a number, true or "
            'false or a list; an {expression} needs quotes: "{record.url}"',
        ),
        ("params:\n  x: [a, 1]", "3: `params.x[1]` is 1 and must be text; put it in quotes"),
        ("outputs:\n  - to: jsonl\n  - path: x", "4: `outputs[1]` needs `to`"),
        ("verdicts: {'500': rejected}", "2: the key `500` in `verdicts` must be a number without quotes"),
        (
            "verdicts: {99: retry}",
            "2: the key `99` in `verdicts` must be the status of an answer, from 200 to 599",
        ),
        ("timeout_s: 1e9", "2: `timeout_s` is 1000000000.0 and must be at most 86400"),
        (
            "limits: {requests_per_second: 0}",
            "2: `limits.requests_per_second` is 0 and must be at least 0.0001",
        ),
        *(
            (
                f"max_rejected: {written}",
                f"2: `max_rejected` is {shown} and must be a number of records, or a share of them in whole percent "
                "from 0% to 100%, such as `5%`",
            )
            for written, shown in (
                ("0.5%", '"0.5%"'),
                ("150%", '"150%"'),
                ("0.5", "0.5"),
                ("-1", "-1"),
                ("true", "true"),
            )
        ),
        (
            "retry: {base_s: 50}",
            "2: `retry`: the first wait, `base_s`, may be as long as the longest one at most: `cap_s` is 30 unless "
            "written; raise it, or lower `base_s`",
        ),
        (
            "reason_at: status",
            '2: `reason_at` is "status" and must be a JSON pointer: begin it with `/`, such as `/status`, with ~0 '
            "for a `~` in a name, ~1 for a `/`, or write "
            "`header:NAME`",
        ),
        (
            "outcomes: {by: index, at: r}",
            '2: `outcomes.at` is "r" and must be a JSON pointer: begin it with `/`, such as `/status`, with ~0 '
            "for a `~` in a name, ~1 for a `/`; an empty text "
            "means the whole answer",
        ),
        (
            "outcomes: {by: key, at: /r}",
            "2: `outcomes`: `by: key` needs `key`, the pointer inside a result to the record's key",
        ),
        *(
            (
                f"success_when: {{at: /s{more}}}",
                "2: `success_when`: write either `is`, what must stand there, or `absent: true`, one of the two",
            )
            for more in ("", ", is: ok, absent: true")
        ),
        ("name: tag", "2: unknown key `name`: the file's own name is the name"),
        (
            "request: {url: x}",
            "1: write either `endpoint: NAME` (see: haulier endpoints CONNECTOR) or "
            "`request: {url: ...}`, one of the two",
        ),
        (
            "timeout_s: soon\nbatchin: 1",
            '2: `timeout_s` is "soon" and must be a number\n'
            "3: unknown key `batchin`; did you mean `batching`?",
        ),
    ],
)
def test_a_key_that_does_not_hold_is_named_with_line_value_and_way_out(
    project: Project, text: str, message: str
) -> None:
    assert refusal(project, f"endpoint: x\n{text}\n") == message


def test_the_name_of_a_stage_is_refused_in_words(project: Project) -> None:
    assert refusal(project, 'stages: [{name: "A b", endpoint: x, each: faces}, {name: b}]\n').split("\n") == [
        '1: `stages[0].name` is "A b" and must be a name of small letters and digits, a letter first, with single '
        "hyphens between words, such as `tag-image`",
        '1: `stages[0].each` is "faces" and must be a JSON pointer: begin it with `/`, such as `/status`, with ~0 '
        "for a `~` in a name, ~1 for a `/`; an empty "
        "text means the whole answer",
        "1: `stages[1]`: write either `endpoint: NAME` (see: haulier endpoints CONNECTOR) or `request: {url: ...}`, "
        "one of the two",
    ]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("setting", ["timeout_s", "limits.patience_s", "retry.cap_s", "params.x", "add.x"])
def test_a_number_is_finite_wherever_one_is_taken(setting: str, number: float) -> None:
    """In a file YAML refuses them; a program can hand them in."""
    outer, _, inner = setting.partition(".")
    written = {"name": "tag", "endpoint": "x", outer: {inner: number} if inner else number}
    shown = {math.inf: "Infinity", -math.inf: "-Infinity"}.get(number, "NaN")
    with pytest.raises(DestinationError) as caught:
        destination_from(written)
    assert str(caught.value) == f"destination `tag`: `{setting}` is {shown} and must be a finite number"


def test_a_destination_by_hand_needs_its_url(project: Project) -> None:
    assert refusal(project, "request:\n  method: post\n") == (
        "1: `request` needs `url`\n"
        "2: `request.method` is \"post\" and must be 'GET', 'POST', 'PUT', 'PATCH' or "
        "'DELETE'; did you mean 'POST'?"
    )


@pytest.mark.parametrize(
    "text",
    [
        "headers: {Authorization: 77123}",
        "params: {api_key: {a: 77123}}",
        "base_url: 77123",
        "api_secret: 77123",
        "params: {x: {password: 77123}}",
        "outputs: [{to: 1, token: 77123}]",
        "request: {url: 77123}",
    ],
)
def test_a_message_never_shows_what_may_be_a_secret(project: Project, text: str) -> None:
    assert "77123" not in refusal(project, f"{text}\n")


def test_a_file_whose_name_is_no_name_is_refused(project: Project) -> None:
    path = write(project, "endpoint: x\n", "Tag_Images")
    with pytest.raises(
        DestinationError, match=r"destinations/Tag_Images\.yaml: .*'Tag_Images'.*; rename the file"
    ):
        load_destination(path)


def test_a_list_or_a_word_is_no_destination(project: Project) -> None:
    assert refusal(project, "- a\n") == "1: not a mapping; write one `key: value` a line"
    assert refusal(project, "# c\nword\n") == "2: not a mapping; write one `key: value` a line"


def test_a_destination_may_be_given_in_any_way(project: Project) -> None:
    path = write(project, EXAMPLE)
    loaded = load_destination(path)
    mapping: dict[str, Any] = {**read_yaml(EXAMPLE.encode(), "x").value, "name": "tag"}
    for given_as in (loaded, path, str(path), "tag", mapping):
        assert destination_from(given_as) == loaded
    assert mapping["name"] == "tag"


def test_a_mapping_needs_a_name_and_is_named_in_messages() -> None:
    with pytest.raises(DestinationError, match="needs a `name`"):
        destination_from({"endpoint": "x"})
    with pytest.raises(ConfigurationError, match="such as tag-images"):
        destination_from({"name": "../x", "endpoint": "x"})
    with pytest.raises(DestinationError) as caught:
        destination_from({"name": "tag", "endpoint": "x", "batching": {"size": 0}})
    assert str(caught.value) == "destination `tag`: `batching.size` is 0 and must be at least 1"


@pytest.mark.parametrize(
    "setting", ["timeout_s", "limits.requests_per_second", "batching.max_wait", "retry.base_s"]
)
def test_a_whole_number_that_no_double_holds_is_refused_by_name(setting: str) -> None:
    group, _, name = setting.rpartition(".")
    written = {group: {name: 10**400}} if group else {name: 10**400}
    with pytest.raises(DestinationError, match=f"`{setting}` is 10+... and must be a number"):
        destination_from({"name": "x", "endpoint": "e", **written})


def test_one_broken_file_hides_none_of_the_others(project: Project) -> None:
    good, bad = write(project, "endpoint: x\n", "good"), write(project, "endpont: x\n", "bad")
    assert list_destinations(project) == (
        ListedDestination(
            name="bad",
            path=bad,
            error="destinations/bad.yaml:1: unknown key `endpont`; did you mean `endpoint`?",
        ),
        ListedDestination(name="good", path=good, destination=Destination(name="good", endpoint="x")),
    )


def test_template_and_manual_yield_the_same_kind_of_saved_object(project: Project) -> None:
    """F05, F55: made either way, saved to a file that reads well and reads back equal."""
    by_template = Destination(name="by-template", connector="imagga", endpoint="tag-image", key="0123")
    by_hand = Destination(
        name="by-hand",
        request=ManualRequest(url="https://api.example.com/v1/{record.id}", headers="a:1,b:2"),
        params={"language": "no", "count": 1, "x": "1", "t": "true"},
        exclude=["note", "no"],
        batching=Batching(size=2, grouping=GroupingChoice(name="array")),
        outputs=[OutputChoice.model_validate({"to": "jsonl", "path": "out/a b.jsonl", "include": ["x"]})],
    )
    for made in (by_template, by_hand):
        path = save_new(project, made)
        assert load_destination(path) == made
        assert type(load_destination(path)) is Destination
    assert (project.destinations / "by-template.yaml").read_text() == (
        '# Where records go\nconnector: imagga\nendpoint: tag-image\n\n# What is sent\nkey: "0123"\n'
    )
    assert (project.destinations / "by-hand.yaml").read_text() == (
        "# Where records go\n"
        "request:\n"
        '  url: "https://api.example.com/v1/{record.id}"\n'
        '  headers: "a:1,b:2"\n'
        "\n"
        "# What is sent\n"
        "params:\n"
        '  language: "no"\n'
        "  count: 1\n"
        '  x: "1"\n'
        '  t: "true"\n'
        'exclude: [note, "no"]\n'
        "\n"
        "# How many travel together\n"
        "batching:\n"
        "  size: 2\n"
        "  grouping: array\n"
        "\n"
        "# Where answers go\n"
        "outputs:\n"
        "  - to: jsonl\n"
        "    path: out/a b.jsonl\n"
        "    include: [x]\n"
    )


def test_a_saved_destination_is_never_written_over(project: Project) -> None:
    path = write(project, "endpoint: mine\n")
    with pytest.raises(DestinationError, match=r"`tag` is there already: edit destinations/tag\.yaml"):
        save_new(project, Destination(name="tag", endpoint="other"))
    assert path.read_text() == "endpoint: mine\n"


def test_two_files_of_one_name_are_refused_whichever_is_meant(project: Project) -> None:
    path = write(project, "endpoint: mine\n")
    other = path.with_suffix(".yml")
    other.write_text("endpoint: mine\n")
    told = "destination `tag` has two files, destinations/tag.yaml and destinations/tag.yml; remove one, or rename it"
    for asked in ("tag", path, other):
        with pytest.raises(DestinationError) as caught:
            project.locate(asked)
        assert str(caught.value) == told
    assert [listed.error for listed in list_destinations(project)] == [told, told]
    assert project.names() == ("tag",)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "no",
        "0123",
        "0x1F",
        ".5",
        "1e3",
        "null",
        "~",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "- a",
        "{record.x}",
        "\x85",
        "é",
    ]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(
    description=_TEXT,
    headers=st.dictionaries(_TEXT, _TEXT),
    settings=st.dictionaries(_TEXT, _JSON),
    items=st.lists(_JSON),
)
def test_whatever_is_set_comes_back_as_it_was(
    description: str, headers: dict[str, str], settings: dict[str, Any], items: list[Any]
) -> None:
    made = Destination(
        name="x",
        endpoint="e",
        description=description,
        headers=headers,
        format_settings=settings,
        exclude=[description],
        outputs=[OutputChoice.model_validate({"to": description, "items": items})],
    )
    back = destination_from({**read_yaml(dump_destination(made).encode(), "x.yaml").value, "name": "x"})
    assert repr(back) == repr(made)


def test_what_json_cannot_carry_is_not_written() -> None:
    with pytest.raises(DestinationError, match="nan is no number in JSON"):
        dump_destination(Destination(name="x", endpoint="e", format_settings={"a": math.nan}))
    with pytest.raises(DestinationError, match=r"the key k{40}\.\.\.: a key .* is at most 1,000 characters"):
        dump_destination(Destination(name="x", endpoint="e", params={"k" * 1001: 1}))
    longest = Destination(
        name="x", endpoint="e", params={"k" * 1000: 1}, format_settings={"a": [{"k" * 1000: 1}]}
    )
    assert read_yaml(dump_destination(longest).encode(), "x.yaml").value["params"] == longest.params


def test_the_schema_describes_every_key_of_a_file() -> None:
    schema = destination_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert sorted(schema["properties"]) == sorted(set(Destination.model_fields) - {"name"})
    assert schema["additionalProperties"] is False
    assert "required" not in schema
    assert schema["$defs"]["Batching"]["properties"]["grouping"]["anyOf"] == [
        {"type": "string"},
        {"$ref": "#/$defs/GroupingChoice"},
    ]
