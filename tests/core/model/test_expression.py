"""Rules of the expression grammar and of filling it in."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import ExpressionError
from haulier.model.column import INTO_LISTS
from haulier.model.expression import (
    Expression,
    Fault,
    Reference,
    RunFacts,
    compile_render,
    parse,
    render_block,
    value_block,
)

FACTS = RunFacts("run-7", 1_795_341_600.9, {"day": "mon"})
ALLOWED = (
    'write {record.NAME}, {record["NAME"]}, {now}, {now:%Y-%m-%d}, {run.id} or {param.NAME}, '
    "and {{ or }} for a brace"
)
shallow = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def text_of(written: str, facts: RunFacts = FACTS) -> str:
    return parse(written, place="p").resolve(facts).text()


def rendered(written: str, line: str, booleans: str = "words") -> list[str | Fault]:
    """The text for one record, which must be the same from its JSON text and from decoded values."""
    expression = parse(written, place="p").resolve(FACTS)
    (from_text,) = render_block(expression, [shallow(line)], booleans=booleans)
    (from_values,) = render_block(expression, [json.loads(line)], booleans=booleans)
    assert from_text == from_values
    return [from_text]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("{record.a}", ("a",)),
        ("{record.a.b.c}", ("a", "b", "c")),
        ('{record["a.b"]}', ("a.b",)),
        ('{record.a["b c"].d}', ("a", "b c", "d")),
        ('{record["say \\"}\\" \\u00e9"]}', ('say "}" \u00e9',)),
        ("{record.image-url}", ("image-url",)),
        ("{record.größe}", ("größe",)),
    ],
)
def test_a_path_names_attributes_by_dots_or_by_json_texts(written: str, path: tuple[str, ...]) -> None:
    expression = parse(written, place="p")
    assert expression == Expression((Reference("record", path),), "p")
    assert expression.record_paths == (path,)
    assert parse(str(expression), place="p") == expression


def test_doubled_braces_stand_for_braces() -> None:
    assert parse('{{"a": {record.a}}}', place="p").parts == ('{"a": ', Reference("record", ("a",)), "}")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("a{recrd.url}", f"p: `{{recrd.url}}` at column 2 is not known; {ALLOWED}"),
        ("{record}", f"p: `{{record}}` at column 1 is not known; {ALLOWED}"),
        ("{record.tags[0]}", f"p: `{{record.tags[0]}}` at column 1 names an element of a list; {INTO_LISTS}"),
        ("x{record.a[].b}", f"p: `{{record.a[].b}}` at column 2 names an element of a list; {INTO_LISTS}"),
        ("{record.tags[x]}", f"p: `{{record.tags[x]}}` at column 1 is no expression; {ALLOWED}"),
        ("{ record.a }", f"p: `{{ record.a }}` at column 1 is no expression; {ALLOWED}"),
        ("{record.a", f"p: `{{record.a` at column 1 is no expression; {ALLOWED}"),
        ("{record.a:%Y}", f"p: `{{record.a:%Y}}` at column 1 is not known; {ALLOWED}"),
        ("{run.name}", f"p: `{{run.name}}` at column 1 is not known; {ALLOWED}"),
        ("{param.a.b}", f"p: `{{param.a.b}}` at column 1 is not known; {ALLOWED}"),
        ("{now.year}", f"p: `{{now.year}}` at column 1 is not known; {ALLOWED}"),
        (
            '{record["\\q"]}',
            f'p: `{{record["\\q"]}}` at column 1 holds a name that is no JSON text; {ALLOWED}',
        ),
        ("{}", f"p: `{{}}` at column 1 is no expression; {ALLOWED}"),
        ("a}b", "p: the `}` at column 2 closes nothing; write }} for a brace"),
        (
            "{url}",
            "p: `{url}` at column 1 is not known; "
            "write {record.url} for the attribute of that name, or {{ for a brace",
        ),
        (
            "{env.HOME}",
            "p: `{env.HOME}` at column 1 is not known; "
            "the environment is not read: secrets come from a credential, other values from {param.NAME}",
        ),
        (
            "{now:%B}",
            "p: `{now:%B}` at column 1 has the unknown directive `%B`; "
            "known are %% %G %H %M %S %V %Y %Z %d %f %j %m %s %u %w %y %z",
        ),
    ],
)
def test_what_is_no_expression_is_refused_with_place_column_and_the_way_out(
    written: str, message: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(written, place="p")
    assert str(caught.value) == message


@given(st.text(alphabet=st.sampled_from('{}."[]:%aY recodnwpm\\') | st.characters()))
def test_any_text_is_read_or_refused_and_reads_the_same_when_written_again(text: str) -> None:
    try:
        expression = parse(text, place="p")
    except ExpressionError:
        return
    assert parse(str(expression), place="p") == expression


@given(st.text())
def test_any_text_can_be_written_with_doubled_braces(text: str) -> None:
    assert parse(text.replace("{", "{{").replace("}", "}}"), place="p").text() == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("{now}", "2026-11-22T10:00:00Z"),
        ("{now:%Y-%m-%d}", "2026-11-22"),
        ("{now:%H:%M:%S %s 100%%}", "10:00:00 1795341600 100%"),
        ("{run.id}/{param.day}", "run-7/mon"),
        ("", ""),
    ],
)
def test_the_facts_of_a_run_are_filled_in_once(written: str, text: str) -> None:
    assert text_of(written) == text


def test_a_param_that_was_not_given_is_named_with_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("{param.city}", place="params.q").resolve(FACTS)
    assert str(caught.value) == "params.q: {param.city} was not given; add --param city=VALUE"


def test_values_of_params_are_no_expressions() -> None:
    assert text_of("{param.day}", RunFacts("r", 0, {"day": "{record.a}"})) == "{record.a}"


def test_an_expression_tells_what_it_needs() -> None:
    expression = parse("{record.a}{record.b.c}{param.x}{run.id}", place="p")
    told = (expression.is_constant, expression.needs_record, expression.varies, expression.is_whole_value)
    assert told == (False, True, True, False)
    assert expression.record_paths == (("a",), ("b", "c"))
    assert expression.names_params == {"x"}
    assert parse("text", place="p").is_constant
    assert parse("{record.a}", place="p").is_whole_value
    assert not parse("{param.a}", place="p").is_whole_value


def test_unresolved_facts_are_never_rendered() -> None:
    with pytest.raises(ExpressionError, match=r"p: \{now\} was not filled in; resolve the expression first"):
        compile_render(parse("{now}", place="p"))
    with pytest.raises(ExpressionError, match=r"p: \{record.a\} has no value here"):
        parse("{record.a}", place="p").text()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"a \\u00e9 \\ud83d\\ude00"', "a \u00e9 \U0001f600"),
        ('""', ""),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-7", "-7"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("false", "false"),
    ],
)
def test_scalars_are_written_as_they_are(value: str, text: str) -> None:
    assert rendered("{record.v}", f'{{"v": {value}}}') == [text]
    assert rendered("<{record.deep.v}>", f'{{"deep": {{"v": {value}}}}}') == [f"<{text}>"]


def test_a_float_keeps_its_json_text_where_it_was_not_decoded() -> None:
    expression = parse("{record.a} {record.b.c}", place="p")
    assert render_block(expression, [shallow('{"a": 1.50, "b": {"c": 1E2}}')]) == ["1.50 1E2"]


def test_booleans_become_digits_on_request() -> None:
    assert rendered("{record.v}", '{"v": true}', "digits") == ["1"]
    assert rendered("{record.v}", '{"v": false}', "digits") == ["0"]
    assert rendered("{record.v}", '{"v": 1}', "words") == ["1"]


@pytest.mark.parametrize(
    ("written", "line", "fault"),
    [
        ("{record.a}", "{}", Fault("attribute `a` is missing", absent=True)),
        ("{record.a}", '{"a": null}', Fault("attribute `a` is null", absent=True)),
        (
            "{record.a}",
            '{"a": [1]}',
            Fault("attribute `a` is a list; only text, finite numbers, true and false can be written out"),
        ),
        (
            "{record.a}",
            '{"a": {}}',
            Fault("attribute `a` is an object; only text, finite numbers, true and false can be written out"),
        ),
        ("{record.a.b}", '{"a": {}}', Fault("attribute `a.b` is missing", absent=True)),
        ("{record.a.b}", '{"a": null}', Fault("attribute `a` is null", absent=True)),
        ("{record.a.b}", '{"a": "x"}', Fault("attribute `a` is text and has no `b`")),
        ("{record.a.b}", '{"a": [1]}', Fault(f"attribute `a` is a list and has no `b`; {INTO_LISTS}")),
        (
            "{record.a.b}",
            '{"a.b": 1}',
            Fault('attribute `a` is missing; the record has `a.b`: write {record["a.b"]}', absent=True),
        ),
        ('{record["a b"]}', "{}", Fault('attribute `["a b"]` is missing', absent=True)),
        (
            "{record.gone}{record.a}",
            '{"a": []}',
            Fault("attribute `a` is a list; only text, finite numbers, true and false can be written out"),
        ),
    ],
)
def test_what_has_no_text_is_a_fault_of_that_record(written: str, line: str, fault: Fault) -> None:
    assert rendered(written, line) == [fault]


def test_a_fault_harms_no_neighbour() -> None:
    records = [shallow('{"a": "x"}'), {}, shallow('{"a": "x"}'), {"a": float("nan")}, {"a": True}, {"a": 1}]
    assert render_block(parse("-{record.a}", place="p"), records) == [
        "-x",
        Fault("attribute `a` is missing", absent=True),
        "-x",
        Fault("attribute `a` is a number; only text, finite numbers, true and false can be written out"),
        "-true",
        "-1",
    ]


def test_a_constant_is_the_same_for_every_record() -> None:
    assert render_block(parse("same", place="p"), [{}, {}]) == ["same", "same"]
    assert render_block(parse("", place="p"), [{}]) == [""]


def test_escape_is_applied_to_values_and_not_to_written_text() -> None:
    expression = parse("a{record.v}a", place="p")
    assert render_block(expression, [{"v": "a"}], escape=str.upper) == ["aAa"]


def test_a_lone_reference_gives_the_value_itself() -> None:
    record = shallow('{"tags": [1, 2], "none": null, "deep": {"n": 1.50}}')
    assert value_block(parse("{record.tags}", place="p"), [record, {"tags": [3]}, {}]) == [
        msgspec.Raw(b"[1, 2]"),
        [3],
        Fault("attribute `tags` is missing", absent=True),
    ]
    assert value_block(parse("{record.none}", place="p"), [record]) == [msgspec.Raw(b"null")]
    assert value_block(parse("{record.deep.n}", place="p"), [record]) == [msgspec.Raw(b"1.50")]
    assert value_block(parse("n={record.deep.n}", place="p"), [record]) == ["n=1.50"]


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "a.b"]), VALUES), max_size=6))
def test_any_block_gives_one_text_or_fault_for_each_record(records: list[dict[str, object]]) -> None:
    """And neighbours have no influence: rendered alone, each record gives the same."""
    for written in ("{record.a}", "{record.a.b}", "x{record.a}{record.b}"):
        render = compile_render(parse(written, place="p"))
        texts = render(records)
        assert len(texts) == len(records)
        assert texts == [text for record in records for text in render([record])]
