"""Which servers a credential may go to: the origins that its type or its creator named, and no others."""

from __future__ import annotations

from typing import Protocol

from haulier.errors import CredentialError, DestinationError
from haulier.model.url import origin_of as url_origin

__all__ = ["Bound", "check_binding", "origin_of"]


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

    Raises CredentialError where it has none, or one that could be taken for another: a credential goes to the one
    reading of an address, or nowhere.
    """
    try:
        return url_origin(url)
    except DestinationError as error:
        raise CredentialError(str(error)) from None


def check_binding(credential: Bound, url: str) -> None:
    """Pass where `credential` may go to the origin of `url`; else raise CredentialError with the way out."""
    origin = origin_of(url)
    if origin in credential.origins:
        return
    allowed = ", ".join(credential.origins) or "no origin"
    raise CredentialError(
        f"credential `{credential.name}` is bound to {allowed} and is not sent to {origin}; "
        f"where {allowed} is meant, lead there (--base-url, `base_url`, `url`), else "
        f"store one that may go there: haulier credential add {credential.type} --name NAME --origin {origin}"
    )
