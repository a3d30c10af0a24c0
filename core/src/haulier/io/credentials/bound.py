"""Which servers a credential may go to: the origins that its type or its creator named, and no others."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urlsplit

from haulier.errors import CredentialError

__all__ = ["Bound", "check_binding", "origin_of"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
# urlsplit drops line breaks and tabs silently, and some clients read a backslash as a slash.
_UNSAFE = re.compile(r"[^\x21-\x7e]|\\")


class Bound(Protocol):
    """What is bound to origins: a stored or a resolved credential."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def origins(self) -> tuple[str, ...]: ...


def origin_of(url: str) -> str:
    """The canonical origin `scheme://host[:port]` of an http(s) URL: lower case, without a default port.

    Raises CredentialError where it has none, or one that could be taken for another (user info, characters
    that are not ASCII): a credential goes to the one reading of an address, or nowhere.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        raise _no_address(url) from None
    if "@" in parts.netloc:
        raise CredentialError("an address with a user name in it; store name and password as a credential")
    if scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(host) or _UNSAFE.search(url):
        raise _no_address(url)
    shown_host = f"[{host}]" if ":" in host else host
    if port is None or port == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{shown_host}"
    return f"{scheme}://{shown_host}:{port}"


def check_binding(credential: Bound, url: str) -> None:
    """Pass where `credential` may go to the origin of `url`; else raise CredentialError with the way out."""
    origin = origin_of(url)
    if origin in credential.origins:
        return
    allowed = ", ".join(credential.origins) or "no origin"
    raise CredentialError(
        f"credential `{credential.name}` is bound to {allowed} and is not sent to {origin}; "
        f"store one that may go there: haulier credential add {credential.type} --name NAME --origin {origin}"
    )


def _no_address(url: str) -> CredentialError:
    """The complaint, without what may be a secret in the address: user info, query, fragment."""
    bare = re.sub(r"(?<=//)[^/?#]*@", "", re.sub(r"[?#].*", "", url, flags=re.DOTALL))
    return CredentialError(
        f"{bare!r} is no http(s) address; write it like https://api.example.com (ASCII only)"
    )
