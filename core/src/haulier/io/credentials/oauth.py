"""The credential type oauth2-client-credentials: a token for a program's own account, asked for when it is needed.

https://www.rfc-editor.org/rfc/rfc6749#section-4.4
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Generator
from typing import Literal
from urllib.parse import quote_plus, urlencode

import msgspec
from pydantic import Field, SecretStr, field_validator

from haulier.errors import CredentialError
from haulier.model.parts import CredentialType, Settings, Token, TokenRequest
from haulier.model.request import Added, Request, Response

__all__ = ["OAUTH2_CLIENT_CREDENTIALS", "ClientCredentials"]

_VISIBLE = r"[\x21-\x7e]+"
_LONGEST_REASON = 200


class ClientCredentials(Settings):
    """Who a program is to the server that gives tokens."""

    token_url: str = Field(
        description="where tokens are asked for, such as https://login.example/oauth/token"
    )
    client_id: str = Field(min_length=1, description="the program's name there")
    client_secret: SecretStr = Field(description="its secret")
    scope: str = Field(default="", description="what the token is to be good for, words with spaces between")
    place: Literal["header", "body"] = Field(
        default="header", description="where name and secret go: the Authorization header, or the body"
    )

    @field_validator("token_url")
    @classmethod
    def _whole(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s#]+", value):
            raise ValueError("write a whole address, such as https://login.example/oauth/token")
        return value


class _Answer(msgspec.Struct):
    """https://www.rfc-editor.org/rfc/rfc6749#section-5.1 and 5.2."""

    access_token: str = ""
    token_type: str = ""
    expires_in: float | None = None
    error: str = ""
    error_description: str = ""


def _acquire(settings: ClientCredentials, now: float) -> Generator[TokenRequest, Response, Token]:
    form = {"grant_type": "client_credentials"}
    if settings.scope:
        form["scope"] = settings.scope
    headers = [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")]
    secret = settings.client_secret.get_secret_value()
    if settings.place == "body":
        form |= {"client_id": settings.client_id, "client_secret": secret}
    else:
        # Both are encoded as in a form first: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
        headers.append(("Authorization", "Basic " + b64encode(pair.encode()).decode()))
    answer = yield TokenRequest(url=settings.token_url, headers=tuple(headers), body=urlencode(form).encode())
    try:
        # Some servers write the number of seconds as text.
        said = msgspec.json.decode(answer.body, type=_Answer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise CredentialError(
            f"{settings.token_url} answered {answer.status} and no JSON that a token could be in"
        ) from None
    if answer.status != 200 or not said.access_token:
        told = (
            ": ".join(part for part in (said.error, said.error_description) if part)
            or "no access_token in it"
        )
        raise CredentialError(
            f"{settings.token_url} gives no token, it answered {answer.status}: {told[:_LONGEST_REASON]}"
        )
    if said.token_type.lower() not in ("", "bearer") or not re.fullmatch(_VISIBLE, said.access_token):
        raise CredentialError(f"{settings.token_url} gave a token that is no bearer token")
    expires_at = now + said.expires_in if said.expires_in is not None else None
    return Token(value=said.access_token, expires_at=expires_at)


def _apply(_request: Request, token: Token, _now: float) -> Added:
    return Added(headers=(("Authorization", f"Bearer {token.value}"),))


OAUTH2_CLIENT_CREDENTIALS = CredentialType(
    name="oauth2-client-credentials",
    title="OAuth 2 client credentials",
    description="A token for a program's own account, asked for when it is needed (RFC 6749, section 4.4). Bind it to "
    "two origins: that of the service, and that of `token_url`.",
    settings=ClientCredentials,
    acquire=_acquire,
    apply=_apply,
)
