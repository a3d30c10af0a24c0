"""The credential type `imagga`: an API key and its secret, sent as HTTP Basic authentication."""

from __future__ import annotations

from base64 import b64encode

from pydantic import Field, SecretStr, field_validator

from haulier.authoring import Added, CredentialType, Request, Settings
from haulier_imagga.account import account_of

__all__ = ["IMAGGA_KEY", "ImaggaKey"]


class ImaggaKey(Settings):
    """The pair that the service's dashboard shows; spaces and line breaks around them are taken off."""

    api_key: SecretStr = Field(description="API key, as the dashboard of your account shows it")
    api_secret: SecretStr = Field(description="API secret, shown beside the key")

    @field_validator("api_key", "api_secret", mode="after")
    @classmethod
    def _one_word(cls, value: SecretStr) -> SecretStr:
        word = value.get_secret_value().strip()
        if not word or not word.isascii() or not word.isprintable() or " " in word:
            raise ValueError(
                "it is empty, or holds a space or a character that no key has: copy it once more"
            )
        return SecretStr(word)

    @field_validator("api_key", mode="after")
    @classmethod
    def _no_colon(cls, value: SecretStr) -> SecretStr:
        # https://www.rfc-editor.org/rfc/rfc7617#section-2
        if ":" in value.get_secret_value():
            raise ValueError("an API key cannot hold a colon: write key and secret apart")
        return value


def _basic(_request: Request, key: ImaggaKey, _now: float) -> Added:
    pair = f"{key.api_key.get_secret_value()}:{key.api_secret.get_secret_value()}"
    return Added(headers=(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"),))


IMAGGA_KEY = CredentialType(
    name="imagga",
    title="Imagga API key",
    # https://docs.imagga.com/
    description="API key and API secret of an Imagga account, sent as HTTP Basic authentication.",
    settings=ImaggaKey,
    apply=_basic,
    origins=("https://api.imagga.com",),
    # The cheapest call that tells good values from bad: https://github.com/PostHog/posthog (imagga source)
    check="imagga/usage",
    check_params={"concurrency": True},
    learn=account_of,
)
