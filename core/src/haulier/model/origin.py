"""Origins, `scheme://host[:port]`, in the one form that credentials are bound to and URLs are compared in."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from haulier.errors import DestinationError

__all__ = ["canonical_origin", "shown_url"]

_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", re.DOTALL)
_UP_TO_PATH = re.compile(r"([^/?#]*)([^?#]*)")
_PLAIN_AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]*\]|[^:@]*)(?::[0-9]*)?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# https://www.unicode.org/reports/tr46/#Deviations: the two IDNA standards make different hosts of these.
_DEVIATIONS = frozenset("\u00df\u03c2\u200c\u200d")
_LONGEST_HOST = 253
_LONGEST_LABEL = 63


@lru_cache(maxsize=256)
def canonical_origin(text: str, *, place: str) -> str:
    """`scheme://host[:port]` as written, in canonical form: lower case, IDNA, default port dropped.

    DestinationError where it is no http(s) origin, holds a user name, or its host or port cannot be.
    """
    found = _ORIGIN.fullmatch(text)
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in _DEFAULT_PORTS:
        raise DestinationError(f"{place}: {shown_url(text)} is no http(s) address; write https://HOST")
    if "@" in found[2]:
        raise DestinationError(
            f"{place}: {shown_url(text)} holds a user name or password; "
            "keep it in a credential: haulier credential add"
        )
    parts = _AUTHORITY.fullmatch(found[2])
    if parts is None:
        raise DestinationError(
            f"{place}: {shown_url(text)} has no host that can be read; write https://HOST:PORT"
        )
    host = _host(parts[1], f"{place}: {shown_url(text)}")
    port = _port(parts[2], f"{place}: {shown_url(text)}")
    return f"{scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS[scheme]} else f":{port}")


def shown_url(text: str) -> str:
    """A URL for messages: without its query and anything before an `@`, where secrets stand."""
    scheme, mark, rest = text.partition("://")
    if not mark:
        scheme, rest = "", text
    found = _UP_TO_PATH.match(rest)
    assert found is not None  # it matches the empty text too
    authority, path = found[1].rpartition("@")[2], found[2]
    if _PLAIN_AUTHORITY.fullmatch(authority) is None:
        # What stands for the port may be the beginning of a password.
        authority, path = (authority.partition(":")[0] + ":***", path) if "@" not in rest else ("***", "")
    shown = "".join(char if char.isprintable() else "?" for char in f"{scheme}{mark}{authority}{path}")
    return shown or "an empty text"


def _host(text: str, where: str) -> str:
    if text.startswith("["):
        try:
            address = ipaddress.IPv6Address(text[1:-1])
        except ValueError:
            raise DestinationError(f"{where} has no IPv6 address between the brackets") from None
        if address.scope_id:
            raise DestinationError(f"{where} names a network interface in its host; leave the %... out")
        return f"[{address}]"
    if not text:
        raise DestinationError(f"{where} has no host; write https://HOST")
    if _DEVIATIONS & set(text):
        raise DestinationError(f"{where} has a host that two standards read differently; write it as xn--...")
    try:
        host = _in_ascii(text).lower()
    except UnicodeError:
        raise DestinationError(f"{where} has a host that is no domain name") from None
    labels = host.split(".")
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
        raise DestinationError(
            f"{where} has a host that is no domain name: letters, digits, - and . in it, no . at its end"
        )
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        # `127.1` and `0x7f.1` mean different hosts to different programs.
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise DestinationError(f"{where} has no IPv4 address of four numbers 0-255") from None
    return host


def _in_ascii(host: str) -> str:
    """A host as `str.encode("idna")` gives it, which loads tables of all characters; UnicodeError where it has none."""
    if not host.isascii():
        return host.encode("idna").decode()
    *labels, last = host.split(".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels) or len(last) > _LONGEST_LABEL:
        raise UnicodeError("label empty or too long")
    return host


def _port(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise DestinationError(f"{where} has no port from 1 to 65535 after the colon")
    return int(text)
