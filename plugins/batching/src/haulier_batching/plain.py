"""Values as a template sees them: what it asks of a record is the record's, and never Python's.

Where an attribute is missing, MiniJinja goes on to the methods of Python's own objects. So `{{ record.items }}` of a
record without `items` would be the text `<built-in method items of dict object at ...>`, and `{{ record.pop("a") }}`
would change what other requests are made of.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["names_methods", "plain"]

_METHODS = frozenset(name for kind in (dict, list) for name in dir(kind) if not name.startswith("_"))
_READING = frozenset({"get", "items", "keys", "values"})  # of an object; what templates call
_REFUSED = (
    "it calls `{}`; a template reads records (items, keys, values and get can be called), and changes none"
)
_ANY = "|".join(sorted(_METHODS))
# As an attribute, but of MiniJinja's own `loop`, or as a text.
_NAMED = rf"(?<!\bloop)\.\s*(?:{_ANY})\b|[\"'](?:{_ANY})[\"']"


def names_methods(template: str) -> bool:
    """Whether a template names a method of Python's objects or lists; one that does not needs no `plain`."""
    return re.search(_NAMED, template) is not None


def plain(value: Any) -> Any:
    """The same JSON-like value, whose methods cannot be seen, and be called only where they change nothing."""
    if type(value) is dict:
        return _Object((name, plain(one)) for name, one in value.items())
    if type(value) is list:
        return _List(map(plain, value))
    return value


class _Object(dict[str, Any]):
    """An object. MiniJinja looks for a key first: a method is no answer to a key that was missing."""

    missed = ""

    def __missing__(self, name: str) -> Any:
        self.missed = name
        raise KeyError(name)

    def __getattribute__(self, name: str) -> Any:
        if name in _METHODS:
            missed, self.missed = self.missed, ""
            if name == missed or name not in _READING:
                raise AttributeError(_REFUSED.format(name))
        return super().__getattribute__(name)


class _List(list[Any]):
    """A list, without methods."""

    def __getattribute__(self, name: str) -> Any:
        if name in _METHODS:
            raise AttributeError(_REFUSED.format(name))
        return super().__getattribute__(name)
