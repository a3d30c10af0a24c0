"""YAML by the 1.2 core rules: what is ambiguous or hidden is refused with its line, nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import DestinationError
from haulier.io.yaml_file import load_yaml, read_yaml


def value(text: str) -> Any:
    return read_yaml(text.encode(), "x.yaml").value


def refusal(content: str | bytes) -> str:
    with pytest.raises(DestinationError) as caught:
        read_yaml(content.encode() if isinstance(content, str) else content, "x.yaml")
    return str(caught.value)


WORDS = """
    no No NO yes on off y n 12:30 1:2:3 2026-01-31 2026-01-31T10:00:00Z 1_000 0b11 nan inf None 1.2.3 0x 1e
    TrUe 08:15 a.b = /path a=b&c
"""


@pytest.mark.parametrize("word", WORDS.split())
def test_words_stay_words(word: str) -> None:
    assert value(f"a: {word}\n") == {"a": word}


NUMBERS = {"1": 1, "-7": -7, "0": 0, "1.5": 1.5, "1e3": 1000.0, "-0.5E-2": -0.005, "9" * 40: int("9" * 40)}
CONSTANTS = {"true": True, "FALSE": False, "null": None, "~": None, "": None}


@pytest.mark.parametrize(("text", "expected"), (NUMBERS | CONSTANTS).items())
def test_numbers_and_constants_are_read_as_json_reads_them(text: str, expected: object) -> None:
    read = value(f"a: {text}\n")["a"]
    assert (read, str(read)) == (expected, text if isinstance(expected, float) else str(expected))
    assert isinstance(read, type(expected))


@pytest.mark.parametrize(
    "text", ["0123", "007", "0x1F", "0o17", "+5", ".5", "5.", "00", "-01", "0123.5", "01e2"]
)
def test_a_number_that_readers_disagree_on_is_refused_and_quoted_is_text(text: str) -> None:
    assert refusal(f"b: 1\na: {text}\n") == (
        f"x.yaml:2: `{text}` is read differently by different programs; put it in quotes for text, or "
        "write a number as JSON does (no leading 0 or +, digits on both sides of the point)"
    )
    assert value(f'a: "{text}"\n') == {"a": text}


def test_a_number_whose_key_says_secret_is_not_shown() -> None:
    assert "0123" not in refusal("password: 0123\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "3: key `a` is written twice (first in line 1); keep one"),
        ("v: {404: x, '404': y}\n", "1: key `404` is written twice (first in line 1); keep one"),
        ("a: {b: 1, b: 1}\n", "1: key `b` is written twice (first in line 1); keep one"),
        ("a: &x 1\n", "1: `&x`: anchors and aliases are not read; repeat the value"),
        ("a: 1\nb: *x\n", "2: `*x`: anchors and aliases are not read; repeat the value"),
        ("a: &x {b: 1}\n", "1: `&x`: anchors and aliases are not read; repeat the value"),
        ("<<: {a: 1}\n", "1: `<<` merge keys are not read; write the keys out"),
        (
            "a: !!python/object:os.system x\n",
            "1: the tag `tag:yaml.org,2002:python/object:os.system`: tags are not read; leave it out",
        ),
        ("a: !x [1]\n", "1: the tag `!x`: tags are not read; leave it out"),
        ("a: .inf\n", "1: `.inf` is no number in JSON; write a finite one, or put it in quotes"),
        ("a: [1, .NaN]\n", "1: `.NaN` is no number in JSON; write a finite one, or put it in quotes"),
        ("a: 1e999\n", "1: `1e999` is a number too large to keep exactly; put it in quotes to make it text"),
        (
            "a: " + "9" * 5000 + "\n",
            "1: `"
            + "9" * 40
            + "...` is a number too large to keep exactly; put it in quotes to make it text",
        ),
        ("true: 1\n", "1: the key `true` is no text; put it in quotes"),
        ("1.5: 1\n", "1: the key `1.5` is no text; put it in quotes"),
        ("? [a]\n: b\n", "1: a key that is a list or a mapping; text in `{...}` or `[...]` needs quotes"),
        ("a: 1\n---\nb: 1\n", "2: a second document after `---`; one file holds one destination"),
        ("%YAML 1.1\n---\na: 010\n", "2: a `%` directive; leave it out, files are read as YAML 1.2"),
        ("a:\n\t- b\n", "2: a tab where only spaces may stand; YAML is indented and separated with spaces"),
        (
            "a: b: c\n",
            "1: a second `: ` on the line, or wrong indentation; put a value that contains `: ` in quotes",
        ),
        (
            "a: @b\n",
            "1: found character '@' that cannot start any token; put a value that begins with it in quotes",
        ),
        ("a: [" + "[" * 60, "1: nested more than 32 deep"),
        ('a: "\\UFFFFFFFF"\n', "1: an escape in quotes that is no character"),
        ('a: 1\nb: "\\ud800"\n', "2: half a surrogate pair in an escape; write both halves"),
        ("a: 1\nb: x\x07\n", "2: the control character '\\x07'; remove it"),
    ],
)
def test_what_hides_or_breaks_the_sense_is_refused_with_its_line(text: str, message: str) -> None:
    assert refusal(text) == f"x.yaml:{message}"


def test_what_is_no_text_is_refused() -> None:
    assert refusal(b"a: 1\nb: \xff\n") == "x.yaml:2: a byte that is not UTF-8; save the file as UTF-8"
    assert refusal("a: b\n" * 300_000) == "x.yaml: larger than 1,048,576 bytes; records do not belong in here"
    for empty in ("", "\n", "# only a comment\n", "\ufeff"):
        assert refusal(empty) == "x.yaml: the file is empty; write one `key: value` a line"


def test_every_value_knows_its_line() -> None:
    document = read_yaml(b"# head\na: 1\nb:\n  c:\n    - x\n    - d: 1\n      e: 2\n", "x.yaml")
    assert document.value == {"a": 1, "b": {"c": ["x", {"d": 1, "e": 2}]}}
    assert {path: document.line_of(path) for path in document.lines} == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 5,
        ("b", "c", 1): 6,
        ("b", "c", 1, "d"): 6,
        ("b", "c", 1, "e"): 7,
    }
    assert document.line_of(("b", "c", 1, "missing", 4)) == 6
    assert document.place(("b", "c", 1, "e")) == "x.yaml:7"


def test_a_file_is_named_as_the_reader_of_the_message_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tag.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert load_yaml(tmp_path / "tag.yaml").value == {"a": 1, "b": 2}
    with pytest.raises(DestinationError) as caught:
        load_yaml(Path("gone.yaml"))
    assert str(caught.value) == "gone.yaml: there is no such file"
    with pytest.raises(DestinationError, match="cannot be read: Is a directory"):
        load_yaml(tmp_path)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff\ufeff\u2028\u2029")
)
# YAML ends a key after 1,024 characters; escaped ones count up to twelve each.
_KEYS = _TEXT.filter(lambda text: len(text) < 80)
_VALUES = st.recursive(
    _SCALARS | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_json_text_is_read_as_json(value_in: Any) -> None:
    """A JSON text is a YAML 1.2 text of the same value, surrogate pairs in escapes included."""
    text = json.dumps({"a": value_in})
    assert repr(read_yaml(text.encode(), "x.yaml").value) == repr(json.loads(text))


@given(st.text(max_size=60) | st.text("ab:-?[]{},#&*!|>'\"%@`<\t\n 01.~\\u", max_size=40))
def test_any_text_is_read_or_refused_with_a_message(text: str) -> None:
    try:
        read_yaml(text.encode("utf-8", "surrogatepass"), "x.yaml")
    except DestinationError as error:
        assert str(error).startswith("x.yaml:")  # noqa: PT017 - most texts are refused, some are not
