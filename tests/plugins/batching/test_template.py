"""Templates: what a record holds fills its place and changes nothing around it; what is missing is said."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import haulier
from haulier.errors import ConfigurationError, RecordError
from haulier_batching.plain import names_methods
from haulier_batching.template import Template, TemplateSettings

LIST = (
    '[{% for record in records %}{"name": {{ record.name }}}{% if not loop.last %},{% endif %}{% endfor %}]'
)


def rendered(template: str, *records: Any, **settings: Any) -> bytes:
    grouping = Template(TemplateSettings(template=template, **settings))
    (portion,) = grouping.build(list(records))
    assert isinstance(portion.payload, bytes)
    assert (portion.carries, portion.media_type) == (None, settings.get("media_type", "application/json"))
    return portion.payload


def refusal(template: str, *records: Any, **settings: Any) -> str:
    with pytest.raises(RecordError) as caught:
        rendered(template, *records, **settings)
    return str(caught.value)


def test_a_template_is_filled_in() -> None:
    assert rendered(LIST, {"name": "a"}, {"name": 1.5}) == b'[{"name": "a"},{"name": 1.5}]'


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, max_size=5))
def test_no_text_changes_what_stands_around_it_in_json(names: list[str]) -> None:
    names += ['"}]', "{{ records }}", "{% raw %}", "\\", "</script>", "\u2028"]
    body = rendered(LIST, *({"name": name} for name in names))
    assert json.loads(body) == [{"name": name} for name in names]


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_no_text_changes_what_stands_around_it_in_markup(name: str) -> None:
    template = '<all>{% for record in records %}<one name="{{ record.name }}">{{ record.name }}</one>{% endfor %}</all>'
    body = rendered(template, {"name": name + "<&\"'>"}, media_type="application/vnd.x+xml; charset=utf-8")
    (one,) = ET.fromstring(body)
    assert (one.text, one.attrib) == (name + "<&\"'>", {"name": name + "<&\"'>"})


def test_texts_stay_as_they_are_where_that_is_asked_for() -> None:
    assert rendered("{{ records[0].a }}", {"a": '<"'}, media_type="text/plain") == b'<"'
    assert rendered("{{ records[0].a }}", {"a": '<"'}, media_type="text/plain", escape="json") == b'"<\\""'


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (
            "[\n{{ records[0].b }}]",
            "template:2: undefined value: `records[0].b` is undefined at {{ records[0].b }}]",
        ),
        (
            "{{ records[0].__class__ }}",
            "template:1: undefined value: `records[0].__class__` is undefined at {{ records[0].__class__ }}",
        ),
        (
            "{{ records.append }}{{ records.__init__.__globals__ }}",
            "template:1: undefined value: `records.append` is undefined at ",
        ),
        (
            "{% for i in range(10000) %}{% for j in range(10000) %}1{% endfor %}{% endfor %}",
            "the template took more ",
        ),
        ("{{ 'a' * 1000000000 }}", "template:1: invalid operation: repeated string is too large"),
        (
            "{% include '/etc/passwd' %}",
            "template:1: template not found: tried to include non-existing template",
        ),
        (
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "template:1: invalid operation: recursion limit exceeded",
        ),
        (
            "{% for a in records %}{{ a.a }} {% endfor %}",
            "what the template makes is no JSON: Extra data: line 1 col",
        ),
    ],
)
def test_what_cannot_be_rendered_is_said_with_its_place(template: str, told: str) -> None:
    assert refusal(template, {"a": 1}, {"a": 2}).startswith(told)


@pytest.mark.parametrize("name", ["items", "keys", "get", "values", "copy", "update", "count", "pop"])
@pytest.mark.parametrize("form", ["records[0].{}", "records[0]['{}']", "records[0].o.{}"])
def test_an_attribute_named_as_a_method_is_the_record_s_or_undefined(name: str, form: str) -> None:
    asked = form.format(name)
    assert rendered(f"[{{{{ {asked} }}}}]", {name: 1, "o": {name: 1}}) == b"[1]"
    assert refusal(f"[{{{{ {asked} }}}}]", {"a": 1, "o": {}}).startswith("template:1: undefined value: ")
    assert rendered(f"[{{{{ 1 if {asked} is defined else 0 }}}}]", {"o": {}}) == b"[0]"


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{{ r.items }}", True),
        ("{{ r . items }}", True),
        ("{{ r['get'] }}", True),
        ("{{ r|attr('pop') }}", True),
        ("{{ records.sort() }}", True),
        ("{{ loops.index }}", True),
        ("{{ loop.index }}{{ r.itemsets }}{{ records|sort|reverse }}{{ r.a|items }}", False),
    ],
)
def test_only_templates_that_name_methods_pay_for_hiding_them(template: str, named: bool) -> None:
    assert names_methods(template) is named


def test_what_takes_too_long_is_not_tried_again_for_each_record() -> None:
    """Neither when all records together take too long, nor when one of them does by itself."""
    loop = "{% for i in range(10000) %}{% for j in range(10000) %}1{% endfor %}{% endfor %}"
    many = [{"a": number} for number in range(2000)]
    began = time.process_time()
    assert refusal(loop, *many).startswith("the template took more than 100,000 steps")
    assert time.process_time() - began < 1
    one = "{% for r in records %}{% if r.a == 1999 %}" + loop + "{% endif %}{{ r.a }}{% endfor %}"
    assert refusal(one, *many[1900:], media_type="text/x").startswith("the template took more")


@pytest.mark.parametrize("name", ["append", "count", "copy", "index", "pop", "sort"])
def test_a_list_has_no_attributes(name: str) -> None:
    assert "undefined value" in refusal(f"[{{{{ records.{name} }}}}]", {"a": 1})
    assert "undefined value" in refusal(f"[{{{{ records[0].a.{name} }}}}]", {"a": [1]})


def test_what_templates_call_of_objects_can_be_called() -> None:
    template = "{{% for k, v in records[0].items() %}}{{{{ k }}}}:{{{{ v }}}},{{% endfor %}}{more}"
    more = "{{ records[0].keys()|length }}{{ records[0].values()|list }}{{ records[0].get('x', 7) }}"
    text = rendered(template.format(more=more), {"a": 1, "items": [2]}, media_type="text/x", escape="json")
    assert text == b'"a":1,"items":[2],2[1,[2]]7'
    assert refusal("{{ records[0].get() }}", {}) == "template: get expected at least 1 argument, got 0"


@pytest.mark.parametrize(
    "change",
    [
        "pop('a')",
        "update({'a': 2})",
        "clear()",
        "setdefault('b', 1)",
        "b.append(1)",
        "b.reverse()",
        "b.clear()",
    ],
)
def test_a_template_changes_no_record(change: str) -> None:
    record = {"a": 1, "b": [1, 2]}
    name = change.partition("(")[0].rpartition(".")[2]
    assert refusal(f"[{{{{ records[0].{change} }}}}]", record) == (
        f"template: it calls `{name}`; a template reads records (items, keys, values and get can be called), "
        "and changes none"
    )
    assert record == {"a": 1, "b": [1, 2]}


def test_an_undefined_name_is_named_with_the_records_that_lack_it(tmp_path: Path) -> None:
    """They are rejected alone, with their lines; where no record has it, the batch is, with its lines."""
    path = tmp_path / "records.jsonl"
    path.write_text(
        '{"id":1,"a":{"b":1}}\n\n{"id":2,"a":{}}\n{"id":3,"a":{"b":3}}\n\n{"id":4}\n{"id":5,"a":{"b":5}}\n'
    )
    template = "[{% for r in records %}\n{{ r.a.b }}{% if not loop.last %},{% endif %}{% endfor %}]"
    written = {
        "name": "d",
        "request": {"url": "http://127.0.0.1:9/"},
        "batching": {"grouping": {"name": "template", "template": template}},
    }
    shown = haulier.preview(written, path)
    assert json.loads(shown.samples[0].body) == [1, 3, 5]  # type: ignore[arg-type]
    place = "at {{ r.a.b }}{% if not loop.last %},{% endif %}{% endfor %}]"
    assert [(one.told, one.batch) for one in shown.rejected] == [
        (f"line 3: template:2: undefined value: `r.a.b` is undefined {place}", 0),
        (f"line 6: template:2: undefined value: `r.a` is undefined {place}", 0),
    ]
    path.write_text('{"id":1}\n{"id":2}\n')
    reason = f"template:2: undefined value: `r.a` is undefined {place} (lines 1 to 2)"
    shown = haulier.preview(written, path)
    assert [(one.reason, one.told, one.batch) for one in shown.rejected] == [
        (reason, f"line 1: {reason}", 1),
        (reason, f"line 2: {reason}", 1),
    ]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{{ records", "template: line 1: unexpected end of input"),
        ("{{ recods }}", "template: there is no recods; what it is given is `records`, the list of records"),
    ],
)
def test_a_template_that_is_none_is_refused_before_the_first_record(wrong: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        Template(TemplateSettings(template=wrong))


@pytest.mark.parametrize(
    "wrong", [{"template": " "}, {"media_type": "text/x\r\nX: y"}, {"steps": 1}, {"escape": "xml"}]
)
def test_settings_that_cannot_be_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        TemplateSettings.model_validate({"template": "[]", **wrong})
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,) for name in wrong]


def test_numbers_are_kept_or_their_record_is_rejected_alone() -> None:
    written = {
        "name": "d",
        "request": {"url": "http://127.0.0.1:9/"},
        "batching": {
            "grouping": {
                "name": "template",
                "template": "[{% for r in records %}{{ r.n }}{% if not loop.last %},{% endif %}{% endfor %}]",
            }
        },
    }
    numbers = [b"1", b"%d" % 2**126, b"%d" % -(2**127), b"1.50", b"1e308", b"[%d]" % 2**127, b"1e999", b"-2"]
    shown = haulier.preview(written, [b'{"n":%s}' % number for number in numbers])
    assert json.loads(shown.samples[0].body) == [1, 2**126, -(2**127), 1.5, 1e308, -2]  # type: ignore[arg-type]
    assert [(one.position, one.reason.partition(",")[0]) for one in shown.rejected] == [
        (5, f"record 5: holds the number {2**127}"),
        (6, "record 6: holds the number 1e999"),
    ]


def test_without_the_extra_it_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "minijinja", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'haulier-batching\[template\]'"):
        Template(TemplateSettings(template="[]"))
