"""Attributes as a destination says: typed, kept, left out, renamed, added; in that order, and on every way alike."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from haulier.errors import DestinationError, ExpressionError
from haulier.model.block import Block
from haulier.model.destination import Destination
from haulier.model.expression import RunFacts
from haulier.model.paths import attribute_path, written_path
from haulier.pipeline.attributes import Way, decode
from haulier.pipeline.shaping import Shaper
from haulier.runs.resolving.shape import sends_attribute, shape_of

WAYS: tuple[Way, ...] = ("shallow", "full")
RECORD = {"sku": "a1", "price": "1.10", "stock": "", "o": {"x": 1, "y": {"z": [2]}}, "a.b": True}


def destination(**written: Any) -> Destination:
    return Destination.model_validate({"name": "d", "request": {"url": "https://a.example/"}, **written})


def shaped(records: list[Any], way: Way = "shallow", **written: Any) -> tuple[list[Any], dict[int, str]]:
    """What is sent of each record as JSON values, None where it is at fault; and the faults."""
    lines = [json.dumps(record).encode() for record in records]
    items, faults = decode(Block(first=0, lines=lines), way)
    shape = shape_of(destination(**written)).resolve(RunFacts("run", 0.0))
    shaper = Shaper(shape, values=way == "full")
    shaper.read(items, faults)
    sent = shaper.send(items, faults)
    return [
        None if index in faults else json.loads(msgspec.json.encode(item)) for index, item in enumerate(sent)
    ], faults


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ({"exclude": ["sku", "price", "stock", "o"]}, {"a.b": True}),
        ({"exclude": ["o.x", "o.y.z", '["a.b"]', "sku", "price"]}, {"stock": "", "o": {"y": {}}}),
        ({"include": ["price", "sku"]}, {"sku": "a1", "price": "1.10"}),
        ({"include": ["o.y", '["a.b"]']}, {"o": {"y": {"z": [2]}}, "a.b": True}),
        ({"include": ["o", "o.x"]}, {"o": {"x": 1, "y": {"z": [2]}}}),
        (
            {"include": ["sku", "price"], "rename": {"sku": "price", "price": "sku"}},
            {"price": "a1", "sku": "1.10"},
        ),
        (
            {"include": ["o"], "rename": {"o": "p", "o.y": "w", "o.y.z": "v"}},
            {"p": {"x": 1, "w": {"v": [2]}}},
        ),
        (
            {
                "include": ["sku", "stock", '["a.b"]'],
                "rename": {"sku": '["p.q"]', "stock": '["[x]"]', '["a.b"]': "a"},
            },
            {"p.q": "a1", "[x]": "", "a": True},
        ),
        ({"include": ["sku"], "add": {"sku": None, "n": [1, {"m": 2}]}}, {"sku": None, "n": [1, {"m": 2}]}),
        (
            {"include": ["o.x"], "add": {"o.w": "new", "p.q.r": 1}},
            {"o": {"x": 1, "w": "new"}, "p": {"q": {"r": 1}}},
        ),
        (
            {"include": ["price", "stock"], "types": {"price": "number", "stock": "integer?"}},
            {"price": 1.1, "stock": None},
        ),
        (
            {
                "include": ["sku"],
                "add": {"o": "{record.o}", "link": "/{record.sku}/{{x}}", "p.z": "{record.o.y.z}"},
            },
            {"sku": "a1", "o": {"x": 1, "y": {"z": [2]}}, "link": "/a1/{x}", "p": {"z": [2]}},
        ),
        ({"include": ["o.x"], "types": {"o.x": "text"}}, {"o": {"x": "1"}}),
    ],
    ids=str,
)
def test_what_is_sent_is_what_the_settings_say(
    way: Way, written: dict[str, Any], sent: dict[str, Any]
) -> None:
    made, faults = shaped([RECORD], way, **written)
    assert (made, faults) == ([sent], {})
    assert list(made[0]) == list(sent)  # the order of the record, what is added last


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (
            {"types": {"sku": "number"}},
            'attribute `sku` is "a1", not a number (digits, a point, no spaces between)',
        ),
        (
            {"types": {"stock": "integer"}},
            'attribute `stock` is "", not a whole number; `?` behind the type takes an empty text as null',
        ),
        (
            {"rename": {"sku": "price"}},
            "two attributes would be named `price` by `rename`: exclude one of them",
        ),
        (
            {"exclude": ["price"], "add": {"x": "{record.price.y}"}},
            "add.x: attribute `price` is text and has no `y`",
        ),
        ({"add": {"sku.x": 1}}, "attribute `sku` is no object, so `add` can put nothing into it"),
    ],
    ids=str,
)
def test_a_record_that_does_not_fit_is_at_fault_alone(way: Way, written: Any, reason: str) -> None:
    good = {"o": {}, "price": {"y": 1}}
    made, faults = shaped([RECORD, good], way, **written)
    assert faults == {0: reason}
    assert made[1] is not None


@pytest.mark.parametrize(
    ("kind", "value", "made"),
    [
        ("number", '" 1.10 "', "1.10"),
        ("number", '"-0.5e10"', "-0.5e10"),
        ("number", "12345678901234567890123", "12345678901234567890123"),
        ("number", '"05"', None),
        ("number", '"1,5"', None),
        ("number", '"NaN"', None),
        ("number", "true", None),
        ("number", '"1e999"', "1e999"),
        ("integer", '"12345678901234567890123"', "12345678901234567890123"),
        ("integer", '"1.0"', None),
        ("integer", '"\u0661"', None),
        ("boolean", '"TRUE"', "true"),
        ("boolean", '"0"', "false"),
        ("boolean", "1", "true"),
        ("boolean", '"yes"', None),
        ("text", "1.10", '"1.10"'),
        ("text", "true", '"true"'),
        ("text", '{"a": 1}', '"{\\"a\\":1}"'),
        ("json", '"[1, {\\"a\\": 1.10}]"', '[1, {"a": 1.10}]'),
        ("json", '"[1"', None),
        ("json", "[1]", "[1]"),
        ("number", "null", "null"),
    ],
)
def test_a_type_keeps_digits_as_they_were_written_and_guesses_nothing(
    kind: str, value: str, made: str | None
) -> None:
    items, faults = decode(Block(first=0, lines=[b'{"a":' + value.encode() + b"}"]), "shallow")
    shaper = Shaper(shape_of(destination(types={"a": kind})), values=False)
    shaper.read(items, faults)
    if made is None:
        assert list(faults) == [0]
    else:
        assert faults == {}
        assert bytes(items[0]["a"]).replace(b": ", b":") == made.encode().replace(b": ", b":")


def test_names_that_no_record_has_are_told_once_and_only_after_records() -> None:
    shaper = Shaper(
        shape_of(
            destination(exclude=["sku", "skuu"], types={"o.q": "text", "a.b": "text"}, rename={"o.x": "y"})
        ),
        values=False,
    )
    assert shaper.unseen() == ()
    items, faults = decode(Block(first=0, lines=[json.dumps(RECORD).encode()] * 3), "shallow")
    shaper.read(items, faults)
    assert sorted(shaper.unseen()) == [
        "exclude: no record so far has the attribute `skuu`; is it spelt so?",
        'types: no record so far has the attribute `a.b`; there is one named `a.b`: write ["a.b"]',
        "types: no record so far has the attribute `o.q`; is it spelt so?",
    ]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"exclude": ["a..b"]}, "exclude: 'a..b' names no attribute"),
        ({"include": [""]}, "include: '' names no attribute"),
        ({"rename": {"a}{record.b": "c"}}, "rename: .* names no attribute"),
        ({"rename": {"a.b": "c"}, "exclude": ["a"]}, "rename: `a.b` is excluded"),
        ({"include": ["a"], "exclude": ["a"]}, "include: `a` is excluded as well"),
        ({"rename": {"a": ""}}, "the new name of 'a' is empty"),
        (
            {"rename": {"a.b": "a.e"}},
            r"rename\.a\.b: 'a\.e' is a path, but an attribute gets a name and stays where it is; write `e`, "
            r"`\[\"a\.e\"\]` for a name with a dot in it, or move it: `exclude: \[a\.b\]` with "
            r"`add: \{a\.e: '\{record\.a\.b\}'\}`",
        ),
        ({"rename": {"a": "{record.b}"}}, r"rename\.a: '\{record\.b\}' names no attribute"),
        ({"rename": {"a": '["b"'}}, r"rename\.a: '\[\"b\"' names no attribute"),
    ],
)
def test_settings_that_contradict_themselves_are_refused_with_their_place(written: Any, words: str) -> None:
    with pytest.raises(DestinationError, match=words):
        shape_of(destination(**written))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=4))
def test_a_path_is_read_as_it_is_written(names: list[str]) -> None:
    assert attribute_path(written_path(tuple(names)), place="exclude") == tuple(names)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3), st.sampled_from(["a", "b", "a.b", "a.b.c"]))
def test_both_ways_send_the_same_and_touch_nothing_else(record: dict[str, Any], path: str) -> None:
    for written in ({"exclude": [path]}, {"rename": {path: "new"}}, {"add": {path: 1}}, {"include": [path]}):
        shallow, full = shaped([record], "shallow", **written), shaped([record], "full", **written)
        assert shallow == full
    put_back, faults = shaped(shaped([record], exclude=[path])[0], exclude=[path])
    assert (put_back, faults) == shaped([record], exclude=[path])


def test_an_attribute_of_which_a_part_is_left_out_is_not_told_to_outputs() -> None:
    shape = shape_of(destination(exclude=["a.secret", "b"]))
    assert [name for name in "abc" if sends_attribute(shape, name)] == ["c"]
    assert [name for name in "ab" if sends_attribute(shape_of(destination(include=["a"])), name)] == ["a"]


def test_untouched_members_keep_their_text() -> None:
    items, faults = decode(Block(first=0, lines=[b'{"a":{"x":1.10,"y":1e2},"b":1.0}']), "shallow")
    shaper = Shaper(shape_of(destination(exclude=["a.y"])), values=False)
    shaper.read(items, faults)
    assert shaper.send(items, faults) == [{"a": Raw(b'{"x":1.10}'), "b": Raw(b"1.0")}]


def test_what_is_known_of_a_run_is_added_as_a_constant_and_a_missing_param_is_named() -> None:
    shape = shape_of(destination(add={"day": "{now:%Y}-{param.x}", "run": "{run.id}", "brace": "{{"}))
    assert (shape.varies, shape.record_paths) == (True, ())
    facts = RunFacts("r", 0.0, {"x": '"y'})
    assert shape.resolve(facts).add == ((("day",), b'"1970-\\"y"'), (("run",), b'"r"'), (("brace",), b'"{"'))
    with pytest.raises(ExpressionError, match=r"add\.day: \{param\.x\} was not given"):
        shape.resolve(RunFacts("r", 0.0))
    with pytest.raises(ExpressionError, match=r"add\.a: `\{sku\}` at column 1 is not known"):
        shape_of(destination(add={"a": "{sku}"}))
    assert shape_of(destination(add={"a": "{record.x.y}"})).record_paths == (("x", "y"),)


@pytest.mark.parametrize("value", [["{record.sku}"], {"a": {"b": ["x", "{now}"]}}])
def test_an_expression_within_a_list_or_an_object_is_refused_not_sent_as_it_stands(value: Any) -> None:
    with pytest.raises(
        DestinationError, match=r"^add\.x: '\{(record\.sku|now)\}' stands inside a list or an object"
    ):
        shape_of(destination(add={"x": value}))
    assert shape_of(destination(add={"x": ["{y", "{}"]})).add == ((("x",), b'["{y","{}"]'),)


def test_types_do_not_depend_on_the_order_of_their_keys() -> None:
    ways = ({"a": "json", "a.b": "integer"}, {"a.b": "integer", "a": "json"})
    made = [[asked.path for asked in shape_of(destination(types=types)).types] for types in ways]
    assert made == [[("a",), ("a", "b")]] * 2
