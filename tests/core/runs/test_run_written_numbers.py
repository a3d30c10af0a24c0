"""Numbers of a destination file are sent as they are written there, whatever a double would make of them."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.runs.carrying import rows
from tests.core.runs.wire import Wire

import haulier
from haulier.authoring import GroupingAlgorithm, Settings
from haulier.errors import DestinationError
from haulier.io.activation import activation, changed, note_settings, settings_of
from haulier.io.destination_text import dump_destination
from haulier.io.destinations import destination_from
from haulier.io.yaml_file import read_yaml
from haulier.model.block import Block
from haulier.model.expression import RunFacts
from haulier.model.written_number import WrittenNumber, as_written, number_of
from haulier.runs.destinations.adjusting import adjusted
from haulier.runs.destinations.listing import show_destination
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve
from haulier.runs.resolving.site import site_of

NUMBERS = ["1.10", "1e2", "0.12345678901234567890", "-0.0", "1E+5", "12345678901234567890.5", "1.5", "7"]
WRITTEN = ", ".join(f"n{at}: {number}" for at, number in enumerate(NUMBERS))
SENT = ",".join(f'"n{at}":{number}' for at, number in enumerate(NUMBERS))
FORM = "&".join(f"n{at}={number.replace('+', '%2B')}" for at, number in enumerate(NUMBERS))
URL = "http://127.0.0.1:9/"
PROPERTY = (
    f"request: {{{{url: '{URL}'}}}}\n"
    "batching: {{grouping: {{name: property, property_name: r, other_props: {}}}}}\n"
)
FILES: dict[str, tuple[str, str]] = {
    "add": (
        f"request: {{url: '{URL}'}}\nadd: {{{WRITTEN}, in: [{{deep: 1.10}}]}}\n",
        f'{{"a":1,{SENT},"in":[{{"deep":1.10}}]}}',
    ),
    "add, by path": (f"request: {{url: '{URL}'}}\nadd: {{o.p: 1.10}}\n", '{"a":1,"o":{"p":1.10}}'),
    "add, form": (f"request: {{url: '{URL}', content_format: form}}\nadd: {{{WRITTEN}}}\n", f"a=1&{FORM}"),
    "add, csv": (
        f"request: {{url: '{URL}', content_format: csv}}\nadd: {{{WRITTEN}}}\nformat_settings: {{header: false}}\n",
        "1," + ",".join(NUMBERS) + "\r\n",
    ),
    "add, query": (f"request: {{url: '{URL}', method: GET}}\nadd: {{{WRITTEN}}}\n", ""),
    "other_props": (
        PROPERTY.format(f"{{{WRITTEN}}}"),
        f'{{{SENT},"r":[{{"a":1}}]}}',
    ),
    "other_props as text": (
        PROPERTY.format(f"'{{{SENT}}}'"),
        f'{{{SENT},"r":[{{"a":1}}]}}',
    ),
    "other_props, xml": (
        f"request: {{url: '{URL}', content_format: xml}}\n"
        "batching: {grouping: {name: property, property_name: r, other_props: {v: 1.10}}}\n",
        "<v>1.10</v>",
    ),
    "body": (f"request: {{url: '{URL}', body: {{{WRITTEN}}}}}\n", f'{{"a":1,{SENT}}}'),
    "body of a batch": (
        f"request: {{url: '{URL}', body: {{{WRITTEN}}}}}\n"
        "batching: {grouping: {name: property, property_name: r}}\n",
        f'{{"r":[{{"a":1}}],{SENT}}}',
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_number_of_the_file_is_sent_with_the_text_it_has_there(kind: str, folder: Path) -> None:
    text, sent = FILES[kind]
    made = destination_from({**read_yaml(text.encode(), "d.yaml").value, "name": "d"})
    again = destination_from({**read_yaml(dump_destination(made).encode(), "d.yaml").value, "name": "d"})
    for one in (made, again):
        (sample,) = haulier.preview(one, [b'{"a":1}']).samples
        assert isinstance(sample.body, bytes)
        if "xml" in kind:
            assert sent in sample.body.decode()
        elif "query" in kind:
            assert sample.target == f"/?a=1&{FORM}"
        else:
            assert sample.body.decode() == sent


def test_a_parameter_of_an_endpoint_keeps_its_text() -> None:
    file = b"connector: imagga\nendpoint: tag-image\nparams: {image_url: 'http://x.example/a', threshold: 20.50}\n"
    made = destination_from({**read_yaml(file, "d.yaml").value, "name": "d"})
    (sample,) = haulier.preview(made, [{}]).samples
    assert sample.target == "/v2/tags?image_url=http%3A%2F%2Fx.example%2Fa&threshold=20.50"


def test_settings_are_shown_and_kept_with_the_text_of_their_numbers(folder: Path) -> None:
    (folder / "haulier.yaml").touch()
    (folder / "destinations").mkdir()
    file = folder / "destinations" / "d.yaml"
    with Wire() as wire:
        text = f"request: {{url: '{wire.url}/'}}\nadd: {{v: 1.10, w: [1e2]}}\nbatching: {{size: 2, max_wait: 1.50}}\n"
        file.write_text(text)
        assert haulier.send("d", [b'{"a":1}']).ok
        assert wire.bodies == [b'[{"a":1,"v":1.10,"w":[1e2]}]']
    ((settings,),) = rows(folder / ".haulier", "select settings from run")
    assert '"v":1.10,"w":[1e2]' in settings
    shown = show_destination("d").settings_lines
    assert [line for line in shown if line.startswith(("add.v", "batching.max_wait"))] == [
        "add.v: 1.10",
        "batching.max_wait: 1.5",
    ]
    file.write_text(text.replace("1.10", "1.20"))
    before = destination_from({**read_yaml(text.encode(), "d").value, "name": "d"})
    note_settings(folder, settings_of(before))
    kept = activation(folder).settings
    assert kept is not None
    assert changed(kept, settings_of(before)) == []
    assert changed(kept, settings_of(site_of("d").destination)) == ["add.v: 1.10 -> 1.20"]


def test_a_setting_changed_for_one_command_keeps_its_text() -> None:
    made = {"name": "d", "request": {"url": URL}, "add": {"v": 1}}
    changed = site_of(adjusted(made, {"add.v": "1.10", "timeout_s": "1.50"})).destination
    assert (changed.add["v"], type(changed.timeout_s)) == (1.1, float)
    assert haulier.preview(changed, [{}]).samples[0].body == b'{"v":1.10}'


@pytest.mark.parametrize(
    ("props", "said"),
    [
        (
            {"t": "{now}"},
            "other_props holds '{now}', but nothing is filled in there; write it in `request.body`",
        ),
        ({"o": [{"t": "a {run.id}"}]}, "other_props holds 'a {run.id}'"),
        ('{"t": "{record.a}"}', "other_props holds '{record.a}'"),
        ({"t": float("inf")}, "must be a finite number"),
    ],
)
def test_what_other_props_cannot_say_is_refused_at_check(props: Any, said: str) -> None:
    grouping = {"name": "property", "property_name": "r", "other_props": props}
    with pytest.raises(DestinationError) as refused:
        haulier.preview({"name": "d", "request": {"url": URL}, "batching": {"grouping": grouping}}, [{}])
    assert said in str(refused.value)


def test_the_way_out_of_an_expression_in_other_props_is_one() -> None:
    grouping = {"name": "property", "property_name": "r", "other_props": {"s": "{x}", "u": "{{now}}"}}
    made = {
        "name": "d",
        "request": {"url": URL, "body": {"t": "{now:%Y}!"}},
        "batching": {"grouping": grouping},
    }
    (sample,) = haulier.preview(made, [{}]).samples
    body = json.loads(sample.body)  # type: ignore[arg-type]
    assert (body["s"], body["u"], body["t"][-1], len(body["t"])) == ("{x}", "{{now}}", "!", 5)


class Anything(Settings):
    """Settings of a stranger's grouping, who has not heard of written numbers."""

    more: Any


class Stranger:
    def __init__(self, settings: Anything) -> None:
        self._more = settings.more

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        return {"more": self._more, "r": list(items)}


@pytest.mark.parametrize(
    ("content_format", "body"),
    [
        ("json", b'{"more":{"v":[1.10,1.5]},"r":[{"a":1}]}'),
        ("ndjson", b'{"more":{"v":[1.10,1.5]},"r":[{"a":1}]}\n'),
        ("xml", b"<more><v><item>1.10</item><item>1.5</item></v></more>"),
    ],
)
def test_a_strangers_settings_of_any_type_are_sent_as_written_too(content_format: str, body: bytes) -> None:
    algorithm = GroupingAlgorithm(name="s", title="S", description="s", factory=Stranger, settings=Anything)
    registry = load_registry()
    registry = msgspec.structs.replace(registry, groupings={**registry.groupings, "s": algorithm})
    file = f"request: {{url: '{URL}', content_format: {content_format}}}\n"
    file += "batching: {grouping: {name: s, more: {v: [1.10, 1.5]}}}\n"
    made = destination_from({**read_yaml(file.encode(), "d").value, "name": "d"})
    planner = resolve(made, registry).planner(RunFacts("f" * 32, 0.0, {}))
    planner.feed(Block(first=0, lines=[b'{"a":1}']))
    (request,) = planner.close().requests
    assert body in request.body  # type: ignore[operator]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_written_number_is_its_double_and_its_text(number: Any) -> None:
    text = f"{number:f}"
    made = number_of(text)
    assert made == float(text)
    assert bytes(as_written(WrittenNumber(text))) == text.encode()
    if isinstance(made, WrittenNumber):
        assert copy.deepcopy(made).text == pickle.loads(pickle.dumps(made)).text == str(made) == text
    else:
        assert json.dumps(made) == text
