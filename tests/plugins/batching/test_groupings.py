"""The groupings place every item once, read none, and refuse settings that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

import haulier_batching
from haulier.authoring import first_expression
from haulier.plugins.loading import load
from haulier.plugins.registry import Registry
from haulier.testing.conformance import check_plugin
from haulier_batching.property import PropertySettings

GROUPINGS = Registry.of(load([haulier_batching], allowed="")).groupings
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def body(name: str, settings: dict[str, Any], *records: bytes) -> bytes:
    """What a grouping makes of records, written as JSON."""
    algorithm = GROUPINGS[name]
    grouping = algorithm.factory(algorithm.settings.model_validate(settings))
    return msgspec.json.encode(grouping.build([msgspec.Raw(record) for record in records]))


def fault(**settings: Any) -> str:
    """Why `property` refuses these settings."""
    with pytest.raises(ValidationError) as caught:
        PropertySettings.model_validate(settings)
    return caught.value.errors()[0]["msg"].removeprefix("Value error, ")


def test_the_plugin_conforms() -> None:
    settings = {
        "property": {"property_name": "records", "other_props": {"source": "catalog"}},
        "template": {"template": "{{ records }}"},
        "code": {"code": "def build(records, context):\n    return records\n"},
    }
    assert check_plugin(haulier_batching, settings=settings) == []


def test_array_is_the_list_of_records_and_their_text_stays_as_it_was() -> None:
    assert body("array", {}, b'{"a": 1.10}', b'{"b":2}') == b'[{"a": 1.10},{"b":2}]'


def test_property_puts_the_records_last_below_its_name() -> None:
    settings = {"property_name": "records", "other_props": {"source": "catalog", "n": 1}}
    assert body("property", settings, b'{"a":1}', b"7") == b'{"source":"catalog","n":1,"records":[{"a":1},7]}'


def test_other_props_may_be_left_out() -> None:
    assert body("property", {"property_name": "faces"}, b'"f1"') == b'{"faces":["f1"]}'


def may_stand_beside(props: dict[str, Any]) -> bool:
    """Whether `property` takes them: they neither hold its name nor an expression, which it refuses."""
    return "records" not in props and not first_expression(props)


@given(st.dictionaries(st.text(), JSON, max_size=4).filter(may_stand_beside))
@example({"": "{ and }", "{record.a}": 1})
def test_other_props_as_text_say_the_same_as_a_mapping(props: dict[str, Any]) -> None:
    text = msgspec.json.encode(props).decode()
    as_text = PropertySettings.model_validate({"property_name": "records", "other_props": text})
    assert as_text == PropertySettings.model_validate({"property_name": "records", "other_props": props})
    assert as_text.other_props == props


def test_integers_of_any_size_are_kept() -> None:
    settings = {"property_name": "r", "other_props": '{"n": 12345678901234567890123}'}
    assert body("property", settings) == b'{"n":12345678901234567890123,"r":[]}'


@pytest.mark.parametrize("props", [{"records": 1}, '{"records": []}'])
def test_a_clash_with_the_property_name_is_refused(props: Any) -> None:
    assert fault(property_name="records", other_props=props) == (
        "other_props has 'records', too, where the records go: take it out, or choose another property_name"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1', "other_props is no JSON: Expecting ',' delimiter at line 1, column 8"),
        ("", "other_props is no JSON: Expecting value at line 1, column 1"),
        ("[1]", 'other_props is a JSON array, not an object such as {"source": "catalog"}'),
        ("null", 'other_props is a JSON null, not an object such as {"source": "catalog"}'),
        ('{"a": NaN}', "other_props holds NaN, which is no JSON"),
        ('{"a": 1e999}', "other_props holds 1e999, which is beyond a double: write it as a text"),
        ('{"a": {"b": 1, "b": 2}}', "other_props names 'b' twice"),
        ('{"a": "\\ud800"}', "other_props holds half a surrogate pair, which is no character"),
        ("[" * 100_000, "other_props is nested too deeply"),
    ],
)
def test_text_that_is_no_json_object_is_refused_with_its_place(text: str, message: str) -> None:
    assert fault(property_name="records", other_props=text) == message


def test_an_empty_property_name_is_refused() -> None:
    assert fault(property_name=" ") == "property_name is empty: name the property that holds the records"


def test_unknown_settings_are_refused() -> None:
    assert fault(property_name="r", propety=1) == "Extra inputs are not permitted"
    with pytest.raises(ValidationError):
        GROUPINGS["array"].settings.model_validate({"size": 1})
