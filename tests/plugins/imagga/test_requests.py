"""The exact request of every call: with all parameters, and with the required ones only.

`requests.json` holds them. After a change that is meant, write it anew with `HAULIER_WRITE_SNAPSHOTS=1` and read the
difference.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import haulier
from haulier.authoring import EndpointTemplate, Parameter
from haulier_imagga import TEMPLATES

SNAPSHOTS = Path(__file__).with_name("requests.json")
PICTURES = Path(__file__).resolve().parents[3] / "examples" / "pictures"
RECORD = {
    "url": "https://example.com/a picture.jpg?size=2&big",
    "upload_id": "i05e1122",
    "path": "shapes.png",
    "picture_base64": "iVBORw0KGgo=",
    "sku": "A/17 ä",
    "face_id": "f1",
    "second_face_id": "f2",
    "person_id": "anna",
    "people": {"anna": ["f1", "f2"], "bert": ["f3"]},
    "ticket_id": "t1",
    "params": {"image_url": "https://example.com/1.jpg"},
}
BY_TYPE = {"integer": 7, "number": 0.5, "boolean": True, "list": ["one", "two"]}


def value(parameter: Parameter) -> Any:
    """A value that shows how the parameter goes out."""
    if parameter.example and parameter.type == "text":
        return parameter.example
    if parameter.choices:
        return ",".join(parameter.choices[:2]) if parameter.name == "language" else parameter.choices[0]
    return BY_TYPE.get(parameter.type, "some text & more")


def params(template: EndpointTemplate, *, everything: bool, choice: int = 0) -> dict[str, Any]:
    """Values for all parameters, or for the required ones; of those that exclude each other the one in that place."""
    chosen = {group[min(choice, len(group) - 1)] for group in template.one_of}
    others = {name for group in template.one_of for name in group} - chosen
    return {
        one.name: value(one)
        for one in template.parameters
        if one.name in chosen or one.required or (everything and one.name not in others)
    }


def request(template: EndpointTemplate, given: dict[str, Any]) -> dict[str, Any]:
    """The request as preview has it, which is what the wire has; only what changes from run to run left out."""
    files = any(one.place == "file" and one.name in given for one in template.parameters)
    destination = {
        "name": "snapshot",
        "connector": "imagga",
        "endpoint": template.name,
        "params": given,
        **({"files_root": str(PICTURES)} if files else {}),
        **({"save_body": "out"} if template.answers == "file" else {}),
        **({"content_format": "form"} if "image_base64" in given else {}),
    }
    records = [RECORD] * template.minimum_records
    (sample,) = haulier.preview(destination, records, n=2).samples
    shown = sample.to_dict()
    headers = {name: text for name, text in shown["headers"] if name != "Idempotency-Key"}
    return {"method": shown["method"], "target": shown["target"], "headers": headers, "body": shown["body"]}


def requests() -> dict[str, Any]:
    """Everything that the file holds."""
    found: dict[str, Any] = {}
    for template in TEMPLATES:
        found[template.name] = request(template, params(template, everything=True))
        found[f"{template.name}, required only"] = request(
            template, params(template, everything=False, choice=1)
        )
    return found


def test_every_call_goes_out_as_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    made = requests()
    if os.environ.get("HAULIER_WRITE_SNAPSHOTS"):
        SNAPSHOTS.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(SNAPSHOTS.read_text(encoding="utf-8"))


def test_a_value_of_a_path_is_one_segment_and_is_required() -> None:
    for template in TEMPLATES:
        in_path = {one.name for one in template.parameters if one.place == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", template.path)), template.name
        assert all(one.required for one in template.parameters if one.place == "path"), template.name


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)
def test_a_value_of_a_path_that_would_lead_elsewhere_is_refused(
    template: EndpointTemplate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    in_path = [one.name for one in template.parameters if one.place == "path"]
    for name in in_path:
        given = params(template, everything=False) | {name: "{record.steer}"}
        destination = {"name": "steered", "connector": "imagga", "endpoint": template.name, "params": given}
        files = any(one.place == "file" for one in template.parameters)
        if files:
            destination["files_root"] = str(PICTURES)
        if template.answers == "file":
            destination["save_body"] = "out"
        for bad in ("", "..", ".", "%2e%2e", "a\\b"):
            found = haulier.preview(destination, [RECORD | {"steer": bad}])
            assert found.samples == (), (name, bad)
            assert found.refused == 1, (name, bad)


def test_no_parameter_is_a_secret_and_none_sets_a_header() -> None:
    for template in TEMPLATES:
        for parameter in template.parameters:
            assert parameter.place != "header", (template.name, parameter.name)
            assert not re.search(r"secret|token|password|api_?key|authorization", parameter.name), (
                template.name
            )


def test_a_call_that_deletes_asks_first() -> None:
    for template in TEMPLATES:
        assert bool(template.irreversible) == (template.method == "DELETE"), template.name


def test_a_boolean_of_a_record_is_a_digit_where_the_parameter_is_one_and_a_word_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    destination = {
        "name": "flags",
        "connector": "imagga",
        "endpoint": "categorize-image",
        "params": {
            "image_url": "https://example.com/1.jpg",
            "categorizer_id": "{record.flag}",
            "save_id": "{record.flag}",
            "save_index": "x",
            "return_tags": "{record.flag}",
        },
    }
    samples = haulier.preview(destination, [{"flag": True}, {"flag": False}]).samples
    head = "image_url=https%3A%2F%2Fexample.com%2F1.jpg&save_index=x"
    assert [one.target for one in samples] == [
        f"/v2/categories/true?{head}&save_id=true&return_tags=1",
        f"/v2/categories/false?{head}&save_id=false&return_tags=0",
    ]
