"""YAML files as people write them: plain values by the YAML 1.2 core rules, and the line of each of them.

`no`, `on` and `yes` are words. What YAML readers disagree on (`0123`, `0x1F`, `+5`, `.5`), and what hides
the sense of a file (aliases, merge keys, tags, keys written twice), is refused with its line, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from haulier.errors import DestinationError
from haulier.io.credentials.redact import looks_secret
from haulier.io.project import shown
from haulier.model.written_number import number_of

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

__all__ = ["Document", "KeyPath", "is_word", "load_yaml", "read_yaml"]

# How a value is reached: keys of mappings and indexes of lists.
KeyPath: TypeAlias = "tuple[str | int, ...]"

_MAX_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_MAX_DIGITS = 100
_MOST_SHOWN = 40  # characters of a value that is refused for its length

# https://yaml.org/spec/1.2.2/#103-core-schema
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CORE_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Numbers that every reader of YAML and JSON takes alike: https://www.rfc-editor.org/rfc/rfc8259#section-6
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A YAML file that was read. value: None, bool, int, float, str, list and dict (keys str or int) only.

    A float that would be written otherwise than it stands there is a WrittenNumber.
    """

    value: Any
    shown: str
    lines: Mapping[KeyPath, int]

    def line_of(self, path: KeyPath) -> int:
        """The line (from 1) of the value at `path`, or of the nearest one around it that is written."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def place(self, path: KeyPath) -> str:
        """`destinations/tag.yaml:7`: where messages say that the value at `path` stands."""
        return f"{self.shown}:{self.line_of(path)}"


def load_yaml(path: Path) -> Document:
    """Read one YAML file of at most 1 MiB; raises DestinationError with the line where it does not hold."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise DestinationError(f"{shown(path)}: there is no such file") from None
    except OSError as error:
        raise DestinationError(f"{shown(path)}: cannot be read: {error.strerror}") from None
    return read_yaml(content, shown(path))


def read_yaml(content: bytes, name: str) -> Document:
    """Read YAML text that messages call `name`; raises DestinationError with the line where it is wrong."""
    text = _text_of(content, name)
    # Imported here: it takes 40 ms, and most of what imports this room never reads a file.
    from ruamel.yaml import YAML  # noqa: PLC0415
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415

    composer = _Composer(name)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            composer.take(event)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = composer.line if mark is None else mark.line + 1
        raise DestinationError(f"{name}:{line}: {_advice(getattr(error, 'problem', None))}") from None
    except (ValueError, OverflowError):
        # The scanner hands the number of a `\U` escape to chr() unchecked.
        raise DestinationError(f"{name}:{composer.line}: an escape in quotes that is no character") from None
    if () not in composer.lines:
        raise DestinationError(f"{name}: the file is empty; write one `key: value` a line")
    return Document(value=composer.root, shown=name, lines=composer.lines)


def is_word(text: str) -> bool:
    """Whether an unquoted `text` would be read as text: neither a constant, nor a number, nor refused."""
    return text not in _CONSTANTS and not _CORE_NUMBER.fullmatch(text) and not _NOT_FINITE.fullmatch(text)


def _text_of(content: bytes, name: str) -> str:
    if len(content) > _MAX_BYTES:
        raise DestinationError(f"{name}: larger than {_MAX_BYTES:,} bytes; records do not belong in here")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DestinationError(f"{name}:{line}: a byte that is not UTF-8; save the file as UTF-8") from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise DestinationError(f"{name}:{line}: the control character {found[0]!r}; remove it")
    return text


def _advice(problem: str | None) -> str:
    """What YAML's own complaint means for the person who wrote the line."""
    if not problem:
        return "this is not YAML"
    if "'\\t'" in problem:
        return "a tab where only spaces may stand; YAML is indented and separated with spaces"
    if "mapping values are not allowed" in problem:
        return "a second `: ` on the line, or wrong indentation; put a value that contains `: ` in quotes"
    if problem.startswith("found character"):
        return f"{problem}; put a value that begins with it in quotes"
    return f"{problem}; look at brackets, quotes and indentation here and just above"


class _Open(msgspec.Struct):
    """A mapping or list being read. key: the key whose value comes next; None where a key comes next."""

    into: dict[str | int, Any] | list[Any]
    path: KeyPath
    key: str | int | None = None
    first: dict[str, int] = msgspec.field(default_factory=dict)


class _Composer:
    """Makes values of YAML events one by one; refuses at the first event that is not allowed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: list[_Open] = []
        self.root: Any = None
        self.line = 1
        self.lines: dict[KeyPath, int] = {}

    def take(self, event: Event) -> None:
        kind = type(event).__name__
        self.line = line = self.line if event.start_mark is None else event.start_mark.line + 1
        if kind in {"ScalarEvent", "MappingStartEvent", "SequenceStartEvent", "AliasEvent"}:
            self._refuse_hidden(event, line)
        if kind == "ScalarEvent":
            self._scalar(event, line)
        elif kind == "MappingStartEvent":
            self._begin({}, line)
        elif kind == "SequenceStartEvent":
            self._begin([], line)
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            self._open.pop()
        elif kind == "DocumentStartEvent":
            self._document(event, line)

    def _fail(self, line: int, message: str) -> DestinationError:
        return DestinationError(f"{self._name}:{line}: {message}")

    def _document(self, event: Any, line: int) -> None:
        if self.lines:
            raise self._fail(line, "a second document after `---`; one file holds one destination")
        if event.version or event.tags:
            raise self._fail(line, "a `%` directive; leave it out, files are read as YAML 1.2")

    def _refuse_hidden(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            sign = "*" if type(event).__name__ == "AliasEvent" else "&"
            raise self._fail(
                line, f"`{sign}{event.anchor}`: anchors and aliases are not read; repeat the value"
            )
        if event.tag is not None:
            raise self._fail(line, f"the tag `{event.tag}`: tags are not read; leave it out")

    def _begin(self, into: dict[str | int, Any] | list[Any], line: int) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise self._fail(line, f"nested more than {_MAX_DEPTH} deep")
        self._open.append(_Open(into, self._place(into, line)))

    def _scalar(self, event: Any, line: int) -> None:
        around = self._open[-1] if self._open else None
        plain = bool(event.implicit[0])
        if around is not None and isinstance(around.into, dict) and around.key is None:
            around.key = self._key(event.value, plain=plain, line=line, around=around)
            self.lines[(*around.path, around.key)] = line
            return
        self._place(self._plain(event.value, line) if plain else self._whole(event.value, line), line)

    def _place(self, value: Any, line: int) -> KeyPath:
        """Put a value where it belongs and return its path."""
        if not self._open:
            self.root = value
            self.lines[()] = line
            return ()
        around = self._open[-1]
        if isinstance(around.into, list):
            path = (*around.path, len(around.into))
            self.lines[path] = line
            around.into.append(value)
            return path
        if around.key is None:
            raise self._fail(
                line, "a key that is a list or a mapping; text in `{...}` or `[...]` needs quotes"
            )
        path = (*around.path, around.key)
        around.into[around.key] = value
        around.key = None
        return path

    def _key(self, text: str, *, plain: bool, line: int, around: _Open) -> str | int:
        if plain and text == "<<":
            raise self._fail(line, "`<<` merge keys are not read; write the keys out")
        key = self._plain(text, line) if plain else self._whole(text, line)
        if isinstance(key, bool | float) or key is None:
            raise self._fail(line, f"the key `{text}` is no text; put it in quotes")
        # 404 and "404" are one key to everything that reads this as JSON.
        if (first := around.first.get(str(key))) is not None:
            raise self._fail(line, f"key `{key}` is written twice (first in line {first}); keep one")
        around.first[str(key)] = line
        return key if isinstance(key, int) else str(key)

    def _plain(self, text: str, line: int) -> Any:
        """An unquoted scalar by the core rules: constant, number or word."""
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _NOT_FINITE.fullmatch(text):
            raise self._fail(line, f"`{text}` is no number in JSON; write a finite one, or put it in quotes")
        if not _CORE_NUMBER.fullmatch(text):
            return text
        number = _NUMBER.fullmatch(text)
        if number is None:
            raise self._fail(
                line,
                f"{self._value(text)} is read differently by different programs; put it in quotes for "
                "text, or write a number as JSON does (no leading 0 or +, digits on both sides of the point)",
            )
        value = _number(text, whole=number[2] is None and number[3] is None)
        if value is None:
            shown = self._value(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")
            raise self._fail(
                line, f"{shown} is a number too large to keep exactly; put it in quotes to make it text"
            )
        return value

    def _value(self, text: str) -> str:
        """The value for a message, unless its key says that it is secret."""
        key = self._open[-1].key if self._open else None
        return "this value" if isinstance(key, str) and looks_secret(key) else f"`{text}`"

    def _whole(self, text: str, line: int) -> str:
        """Quoted text, with escaped surrogate pairs (as JSON writes them) joined; refuses half a pair."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._fail(line, "half a surrogate pair in an escape; write both halves") from None


def _number(text: str, *, whole: bool) -> int | float | None:
    """The number, or None where it has too many digits or is beyond the range of a double."""
    if len(text) > _MAX_DIGITS:
        return None
    if whole:
        return int(text)
    value = number_of(text)
    return None if value in {float("inf"), float("-inf")} else value
