"""HTTP Basic authentication as a server checks it."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from starlette.datastructures import Headers


class BasicAuth:
    """Users with their passwords; `realm` is named in the challenge of a refusal."""

    def __init__(self, credentials: Mapping[str, str], *, realm: str = "emulator") -> None:
        self._credentials = dict(credentials)
        self.realm = realm

    def __repr__(self) -> str:
        return f"BasicAuth(users={sorted(self._credentials)}, realm={self.realm!r})"

    def user(self, headers: Headers) -> str | None:
        """The user a request proves to be, None when it proves none."""
        sent = read_basic(headers.get("authorization"))
        if sent is None:
            return None
        name, password = sent
        expected = self._credentials.get(name)
        # Compared even for an unknown user, so that both refusals take the same time.
        matches = hmac.compare_digest((expected or "").encode(), password.encode())
        return name if matches and expected is not None else None


def read_basic(header: str | None) -> tuple[str, str] | None:
    """User and password out of an `Authorization` header, None when it holds no Basic credential."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None
