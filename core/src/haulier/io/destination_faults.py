"""What is wrong with a destination, in the words of the person who wrote it: key, value and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel, ValidationError

from haulier.io.credentials.redact import looks_secret, masked
from haulier.model.closest import closest
from haulier.model.destination import Destination, Stage
from haulier.model.fault_words import KINDS, fault_words

__all__ = ["faults_of", "key_text"]

_Path: TypeAlias = "tuple[str | int, ...]"

# What people write at these keys may hold a secret, whatever its name is.
_NEVER_SHOWN = frozenset({"headers", "url", "base_url"})
_YES_NO = frozenset({"yes", "no", "on", "off"})
_LONGEST_SHOWN = 80


def faults_of(error: ValidationError, written: Any) -> list[tuple[_Path, str]]:
    """Return (path of the key, what is wrong and what to do) for each key of `written` that does not hold."""
    found: dict[_Path, list[Mapping[str, Any]]] = {}
    for fault in error.errors(include_url=False, include_input=False):
        found.setdefault(_written_path(fault["loc"], written, fault["type"]), []).append({**fault})
    # Where one way of a union got further than the others, the complaints of the others only confuse.
    return [
        (path, _sentence(path, faults, written))
        for path, faults in found.items()
        if not any(len(other) > len(path) and other[: len(path)] == path for other in found if path)
    ]


def key_text(path: _Path) -> str:
    """A path as people write it: `outputs[0].path`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _written_path(place: tuple[str | int, ...], written: Any, kind: str) -> _Path:
    """The part of pydantic's place that is really there, without its names for the ways of a union."""
    path: list[str | int] = []
    value = written
    for step in place:
        if _has(value, step):
            value = value[step]
        elif kind != "missing" or step != place[-1]:
            continue
        path.append(step)
    return tuple(path)


def _has(value: Any, step: str | int) -> bool:
    return step in value if isinstance(value, Mapping) else isinstance(value, list) and isinstance(step, int)


def _value_at(path: _Path, written: Any) -> Any:
    for step in path:
        written = written[step]
    return written


def _sentence(path: _Path, faults: list[Mapping[str, Any]], written: Any) -> str:
    fault = faults[0]
    if fault["type"] == "missing":
        around = f"`{key_text(path[:-1])}` needs" if path[:-1] else "a destination needs"
        return f"{around} `{path[-1]}`"
    if fault["type"] == "extra_forbidden":
        return _unknown_key(path)
    if fault["loc"][-1:] == ("[key]",):
        wrong = "must be a number without quotes" if fault["type"] in KINDS else fault_words(fault)
        return f"the key `{path[-1]}` in `{key_text(path[:-1])}` {wrong}"
    if not path:
        return fault_words(fault)
    value = _value_at(path, written)
    said = _must_be(faults, value)
    if fault["type"] == "value_error" and not said.startswith("must "):
        return f"`{key_text(path)}`: {said}"  # a sentence of its own, which names what is wrong
    return f"`{key_text(path)}` {_shown(path, value)} {said}"


def _must_be(faults: list[Mapping[str, Any]], value: Any) -> str:
    fault = faults[0]
    if fault["type"] == "literal_error":
        words = _words(fault)
        close = closest(str(value).lower(), words)
        hint = f"; did you mean {words[close[0]]}?" if close else ""
        return f"must be {fault['ctx']['expected']}{hint}"
    if any(
        each["type"] == "finite_number" for each in faults
    ):  # it is a number, whatever else may stand there
        return fault_words({**fault, "type": "finite_number"})
    kinds = list(dict.fromkeys(KINDS[each["type"]] for each in faults if each["type"] in KINDS))
    if not kinds:
        return fault_words(fault)
    if "a number" in kinds and "a whole number" in kinds:
        kinds.remove("a whole number")
    *most, last = kinds
    return f"must be {', '.join(most)}{' or ' if most else ''}{last}{_way_out(value, kinds)}"


def _way_out(value: Any, kinds: list[str]) -> str:
    if value is None:
        return "; write a value, or leave the line out"
    if isinstance(value, dict) and value and not any(inner is not None for inner in value.values()):
        return '; an {expression} needs quotes: "{' + ", ".join(map(str, value)) + '}"'
    if "true or false" in kinds and isinstance(value, str) and value.lower() in _YES_NO:
        return f" (`{value}` is a word)"
    if "text" in kinds and isinstance(value, int | float):
        return "; put it in quotes"
    many = "[{...}]" if isinstance(value, dict) else "[a, b]"
    example = (
        {"a list": many, "a mapping of keys": "{name: value}"}.get(kinds[0]) if len(kinds) == 1 else None
    )
    return f"; write it in brackets, such as {example}" if example else ""


def _shown(path: _Path, value: Any) -> str:
    """The value for a message, or that it is not shown where it may be a secret."""
    if value is None:
        return "is empty and"
    if any(_may_be_secret(path[:depth], str(step)) for depth, step in enumerate(path)):
        return "(its value is not shown)"
    text = json.dumps(masked(value), ensure_ascii=False)
    return f"is {text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + '...'} and"


def _may_be_secret(around: _Path, key: str) -> bool:
    return key in _NEVER_SHOWN or (looks_secret(key) and key not in _keys_at(around))


def _words(fault: Mapping[str, Any]) -> dict[str, str]:
    words = fault["ctx"]["expected"].replace(" or ", ", ").split(", ")
    return {word.strip("'").lower(): word for word in words}


def _unknown_key(path: _Path) -> str:
    key, around = str(path[-1]), path[:-1]
    where = f" in `{key_text(around)}`" if around else ""
    known = _keys_at(around)
    within = around[2:] if around[:1] == ("stages",) else around
    if close := closest(key, known):
        return f"unknown key `{key}`{where}; did you mean `{close[0]}`?"
    elsewhere = [
        key_text(other) or "the top level" for other, keys in _all_keys() if key in keys and other != within
    ]
    if elsewhere:
        return f"unknown key `{key}`{where}; it belongs into {' or '.join(f'`{each}`' for each in elsewhere)}"
    return f"unknown key `{key}`{where}; known are {', '.join(known)}"


def _keys_at(path: _Path) -> list[str]:
    if path[:1] == ("stages",) and len(path) == 2:
        return list(Stage.model_fields)
    within = path[2:] if path[:1] == ("stages",) else path
    return next((keys for other, keys in _all_keys() if other == within), [])


def _all_keys() -> Iterator[tuple[_Path, list[str]]]:
    """Every mapping of a destination whose keys are fixed, with those keys."""
    yield (), [key for key in Destination.model_fields if key != "name"]
    for key, field in Destination.model_fields.items():
        for model in _models(field.annotation):
            if model.model_config.get("extra") == "forbid" and key != "stages":
                yield (key,), list(model.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
