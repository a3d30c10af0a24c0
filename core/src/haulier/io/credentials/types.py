"""The credential types that come with Haulier: none, basic, bearer, api-key, hmac, and one that acquires tokens."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from typing import Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, field_validator, model_validator

from haulier.errors import CredentialError
from haulier.io.credentials.oauth import OAUTH2_CLIENT_CREDENTIALS
from haulier.model.parts import Added, CredentialType, NoSettings, Settings
from haulier.model.request import Request

__all__ = ["ApiKey", "Basic", "Bearer", "Hmac", "credential_types"]

# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}"
_HEADER_VALUE = r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?"
# https://www.rfc-editor.org/rfc/rfc6750#section-2.1, without its grouping of the padding: services differ
_VISIBLE = r"[\x21-\x7e]+"
# They decide how a request is framed or where it goes.
_FRAMING = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
    }
)


class Basic(Settings):
    """A pair of user name and password, or of API key and API secret."""

    username: SecretStr = Field(description="user name, or API key")
    password: SecretStr = Field(description="password, or API secret")

    @field_validator("username")
    @classmethod
    def _no_colon(cls, value: SecretStr) -> SecretStr:
        # https://www.rfc-editor.org/rfc/rfc7617#section-2
        if ":" in value.get_secret_value():
            raise ValueError("a user name of basic authentication cannot contain a colon")
        return value


class Bearer(Settings):
    """A token that whoever bears it may use."""

    token: SecretStr = Field(description="the token, without the word Bearer")

    @field_validator("token")
    @classmethod
    def _one_word(cls, value: SecretStr) -> SecretStr:
        if not re.fullmatch(_VISIBLE, value.get_secret_value()):
            raise ValueError("a token is visible ASCII characters without spaces; leave out the word Bearer")
        return value


class Hmac(Settings):
    """A secret that both sides know and neither sends."""

    secret: SecretStr = Field(
        description="the secret that the receiver checks signatures with, as UTF-8 text"
    )


class ApiKey(Settings):
    """A key that goes into one header or one query parameter."""

    value: SecretStr = Field(description="the key")
    name: str = Field(description="the header or query parameter it goes into, such as X-API-Key")
    place: Literal["header", "query"] = Field(default="header", description="where it goes")

    @model_validator(mode="after")
    def _fits_its_place(self) -> ApiKey:
        if self.place == "query":
            if not self.name:
                raise ValueError("the query parameter needs a name")
            return self
        if not re.fullmatch(_HEADER_NAME, self.name) or self.name.lower() in _FRAMING:
            raise ValueError(f"{self.name!r} is no header that a key can go into")
        if not re.fullmatch(_HEADER_VALUE, self.value.get_secret_value()):
            raise ValueError("a key in a header is printable ASCII, without spaces around it")
        return self


def _apply_none(_request: Request, _settings: NoSettings, _now: float) -> Added:
    return Added()


def _apply_basic(_request: Request, settings: Basic, _now: float) -> Added:
    pair = f"{settings.username.get_secret_value()}:{settings.password.get_secret_value()}"
    return Added(headers=(("Authorization", "Basic " + b64encode(pair.encode()).decode()),))


def _apply_bearer(_request: Request, settings: Bearer, _now: float) -> Added:
    return Added(headers=(("Authorization", f"Bearer {settings.token.get_secret_value()}"),))


def _apply_hmac(request: Request, settings: Hmac, now: float) -> Added:
    if not isinstance(request.body, bytes):
        raise CredentialError(
            "credential type hmac: a body with files is made while it is sent; it cannot be signed"
        )
    at = str(int(now))
    signed = hmac.digest(
        settings.secret.get_secret_value().encode(), b"%s.%s" % (at.encode(), request.body), "sha256"
    )
    return Added(headers=(("Haulier-Signature", f"t={at},v1={signed.hex()}"),))


def _apply_api_key(_request: Request, settings: ApiKey, _now: float) -> Added:
    value = settings.value.get_secret_value()
    if settings.place == "header":
        return Added(headers=((settings.name, value),))
    return Added(query=((quote(settings.name, safe=""), quote(value, safe="")),))


def credential_types() -> tuple[CredentialType, ...]:
    """The built-in credential types. None names an origin: the creator of a credential does."""
    return (
        CredentialType(
            name="none",
            title="No authentication",
            description="Adds nothing to a request.",
            settings=NoSettings,
            apply=_apply_none,
        ),
        CredentialType(
            name="basic",
            title="Basic authentication",
            description="User name and password in the Authorization header (RFC 7617).",
            settings=Basic,
            apply=_apply_basic,
        ),
        CredentialType(
            name="bearer",
            title="Bearer token",
            description="A token in the Authorization header (RFC 6750).",
            settings=Bearer,
            apply=_apply_bearer,
        ),
        CredentialType(
            name="api-key",
            title="API key",
            description="A key in a header or in the query.",
            settings=ApiKey,
            apply=_apply_api_key,
        ),
        CredentialType(
            name="hmac",
            title="HMAC signature",
            description="A signature of time and body in the header Haulier-Signature (HMAC with SHA-256); the secret "
            "itself is never sent.",
            settings=Hmac,
            apply=_apply_hmac,
        ),
        OAUTH2_CLIENT_CREDENTIALS,
    )
