"""A destination as the text of its file: every value comes back as it was, and it reads well."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from haulier.errors import DestinationError
from haulier.io.yaml_file import is_word
from haulier.model.destination import Destination
from haulier.model.written_number import WrittenNumber

__all__ = ["dump_destination"]

# The first key of each section -> what stands above it; a key without one continues the section before.
_SECTIONS = {
    "connector": "Where records go",
    "key": "What is sent",
    "batching": "How many travel together",
    "limits": "How hard, and how often again",
    "outputs": "Where answers go",
    "files_root": "Which files may be read",
    "base_url": "How it is reached, and what answers mean",
}
_PLAIN = r"[A-Za-z_./][\w./@+-]*( [\w./@+-]+)*"
# Words that readers of other YAML versions take for something else: https://yaml.org/type/bool.html
_OLD_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_UNPRINTABLE = "[\x7f-\xa0\xad\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]"
_WIDEST_LIST = 100
# https://yaml.org/spec/1.2.2/#742-flow-mappings: 1,024 for a key and what stands around it
_LONGEST_KEY = 1000


def dump_destination(destination: Destination) -> str:
    """Return the YAML text of a destination: what was set, in the order of its fields, with section comments.

    Reading it back gives an equal destination. Raises DestinationError for what JSON cannot carry either.
    """
    written = destination.model_dump(mode="python", exclude_unset=True)
    lines: list[str] = []
    title, last = "", ""
    for key in type(destination).model_fields:
        title = _SECTIONS.get(key, title)
        if key not in written:
            continue
        if title != last:
            lines += ["", f"# {title}"] if lines else [f"# {title}"]
            last = title
        lines += _entry(key, _short(key, written[key]), "")
    return "\n".join(lines) + "\n"


def _short(key: str, value: Any) -> Any:
    """A grouping without settings as its name alone, the way people write it."""
    if key == "batching" and isinstance(value, Mapping) and value.get("grouping", {}).keys() == {"name"}:
        return {**value, "grouping": value["grouping"]["name"]}
    return value


def _entry(key: str | int, value: Any, indent: str) -> Iterator[str]:
    head = f"{indent}{_key(key)}:"
    if isinstance(value, Mapping) and value:
        yield head
        for inner, each in value.items():
            yield from _entry(inner, each, indent + "  ")
        return
    if isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        yield head
        yield from _items(value, indent + "  ")
        return
    line = f"{head} {_flow(value)}"
    if isinstance(value, list) and len(line) > _WIDEST_LIST:
        yield head
        yield from _items(value, indent + "  ")
        return
    yield line


def _items(values: list[Any], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, Mapping) and value:
            inner = [line for key, each in value.items() for line in _entry(key, each, indent + "  ")]
            yield f"{indent}- {inner[0][len(indent) + 2 :]}"
            yield from inner[1:]
        else:
            yield f"{indent}- {_flow(value)}"


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _key(key: str | int) -> str:
    text = _scalar(key)
    if len(text) > _LONGEST_KEY:
        raise DestinationError(
            f"the key {text[:40]}...: a key in a destination file is at most 1,000 characters"
        )
    return text


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = re.fullmatch(_PLAIN, value, re.ASCII) and is_word(value) and value.lower() not in _OLD_WORDS
        return value if plain else _quoted(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise DestinationError(f"{value} is no number in JSON; write a finite one")
    if isinstance(value, WrittenNumber):
        return value.text
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    raise DestinationError(f"a value of type {type(value).__name__} cannot be written to a destination file")


def _quoted(text: str) -> str:
    """Double quotes with JSON's escapes, which YAML 1.2 shares, and escapes for what editors do not show."""
    return re.sub(_UNPRINTABLE, lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
