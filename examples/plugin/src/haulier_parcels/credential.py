"""The credential type `parcels`: a token in a header of its own."""

from __future__ import annotations

from pydantic import Field, SecretStr

from haulier.authoring import Added, CredentialType, Request, Settings

__all__ = ["PARCELS_TOKEN", "ParcelsToken"]


class ParcelsToken(Settings):
    """What the service hands out; `SecretStr` keeps it out of every message."""

    token: SecretStr = Field(description="the token of your account")


def _apply(_request: Request, settings: ParcelsToken, _now: float) -> Added:
    return Added(headers=(("X-Parcels-Token", settings.token.get_secret_value()),))


PARCELS_TOKEN = CredentialType(
    name="parcels",
    title="Parcels token",
    description="The token of a Parcels account.",
    settings=ParcelsToken,
    apply=_apply,
    origins=("https://api.parcels.example",),
)
