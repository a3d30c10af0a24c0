"""Header pairs that a person wrote, `h1:v1,h2:v2` or a mapping, and what a header value may hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from haulier.errors import DestinationError
from haulier.model.column import Fault
from haulier.model.expression import Expression, parse

__all__ = ["HeaderTemplate", "header_fault", "header_value", "parse_pairs", "value_fault"]

# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_NAME_CHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NAME = re.compile(_NAME_CHARS)
# Pairs part at a comma that a name and a colon follow; `://` is the middle of a URL, and so part of a value.
# Expressions are stepped over: they may hold both.
_BORDER = rf'\{{(?:"(?:[^"\\]|\\.)*"|[^{{}}"])*\}}|(,)(?=[ \t]*{_NAME_CHARS}[ \t]*:(?!//))'
# `h1:v1,h2`: a name alone right after a comma is a pair that somebody forgot to finish.
_BARE = rf",({_NAME_CHARS})\s*$"
_REFUSED = re.compile(r"[^\t\x20-\x7e]")
_LONGEST_SHOWN = 12

# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 and https://www.rfc-editor.org/rfc/rfc9112#section-6
_TRANSPORTS_OWN = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class HeaderTemplate(msgspec.Struct, frozen=True, gc=False):
    """One header to be sent. required False: left out where an attribute is missing or null."""

    name: str
    expression: Expression
    required: bool = True


def parse_pairs(written: str | Mapping[str, str], *, place: str = "headers") -> tuple[HeaderTemplate, ...]:
    """The headers of `h1:v1,h2:v2`, or of a mapping, in order.

    A value may hold colons, and commas that no name and colon follow; a mapping says what that would split.
    DestinationError names a pair without a colon, a name that is no header name, stands twice or belongs to
    the transport, and what a value must not hold; it repeats no value, which may be a secret.
    """
    pairs = _split(written, place) if isinstance(written, str) else written.items()
    templates: dict[str, HeaderTemplate] = {}
    for name, value in pairs:
        _check_name(name, templates, place)
        expression = parse(value.strip(" \t"), place=f"{place}.{name}")
        for part in expression.parts:
            if isinstance(part, str) and (reason := value_fault(part)):
                raise DestinationError(f"{place}.{name}: the value {reason}")
        templates[name.lower()] = HeaderTemplate(name, expression)
    return tuple(templates.values())


def header_fault(name: str, value: str) -> str:
    """Why a header that a program adds cannot be sent, or an empty text; the value, maybe a secret, is not told."""
    if _NAME.fullmatch(name) is None:
        return f"with a header named {_shown(name)}, which is no header name"
    if name.lower() in _TRANSPORTS_OWN:
        return f"with the header {name}, which is set by the transport"
    fault = value_fault(value)
    return f"whose header {name} {fault}" if fault else ""


def header_value(text: str) -> str | Fault:
    """A rendered value without spaces around it, or why it cannot be a header's value."""
    reason = value_fault(text)
    return Fault(reason) if reason else text.strip(" \t")


def value_fault(text: str) -> str:
    """Why a value cannot stand in a header, or "". ASCII only: servers read the rest each in its own way."""
    found = _REFUSED.search(text)
    if found is None:
        return ""
    code = f"U+{ord(found[0]):04X}"
    if found[0] in "\r\n":
        return f"holds a line break ({code}), which would begin another header"
    if ord(found[0]) < 0x20 or 0x7F <= ord(found[0]) < 0xA0:
        return f"holds the control character {code}"
    return (
        f"holds `{found[0]}` ({code}); a header takes ASCII only"
        if found[0].isprintable()
        else f"holds {code}"
    )


def _split(written: str, place: str) -> Iterable[tuple[str, str]]:
    if not written.strip():
        return
    borders = [found.start() for found in re.finditer(_BORDER, written) if found[1]]
    starts = [0, *(border + 1 for border in borders)]
    for number, (start, end) in enumerate(zip(starts, [*borders, len(written)], strict=True), 1):
        name, colon, value = written[start:end].partition(":")
        if not colon:
            raise DestinationError(
                f"{place}: pair {number}, `{_beginning(name)}`, has no colon; write NAME:VALUE,NAME:VALUE"
            )
        if value.rstrip().endswith(","):
            raise DestinationError(f"{place}: after the comma that ends pair {number}, a pair is missing")
        if found := re.search(_BARE, value):
            raise DestinationError(
                f"{place}: pair {number}, `{_beginning(name)}`, is followed by `{_beginning(found[1])}`, which has no "
                "colon; write NAME:VALUE,NAME:VALUE, or a space after a comma that belongs to the value"
            )
        yield name.strip(" \t"), value


def _beginning(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _shown(name: str) -> str:
    """The beginning of what is no name, in one line."""
    return repr(_beginning(name.encode("ascii", "backslashreplace").decode()))


def _check_name(name: str, known: Mapping[str, HeaderTemplate], place: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise DestinationError(
            f"{place}: {_shown(name)} is no header name; letters, digits and !#$%&'*+-.^_`|~ make one"
        )
    if name.lower() in _TRANSPORTS_OWN:
        raise DestinationError(
            f"{place}: {name} is set by the transport, which owns the connection; leave it out"
        )
    if name.lower() in known:
        raise DestinationError(f"{place}: {name} stands twice; write one value, its parts parted by commas")
