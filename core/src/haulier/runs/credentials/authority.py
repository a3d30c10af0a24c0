"""Credentials at each attempt: found, held against the origin they are bound to, and applied after the plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from haulier.errors import CredentialError
from haulier.io.credentials import (
    CredentialStore,
    Redactor,
    ResolvedCredential,
    SecretRef,
    check_binding,
    resolve_values,
)
from haulier.model.credential_name import NO_CREDENTIAL
from haulier.model.origin import canonical_origin
from haulier.model.parts import Added, CredentialType, Settings, Token, TokenRequest
from haulier.model.request import Request, Response
from haulier.plugins.registry import Registry
from haulier.runs.resolving.guarding import Guard, guard_of
from haulier.runs.resolving.resolved import Resolved, place_of
from haulier.runs.resolving.returned import acquiring_fault, added_fault, question_fault, token_fault
from haulier.runs.resolving.site import Site

__all__ = [
    "Authority",
    "CredentialLike",
    "asking_for_token",
    "authorities_of",
    "authority_of",
    "authority_of_output",
    "given_to",
]

CredentialLike: TypeAlias = "str | Mapping[str, Any] | None"
_NOTHING = Added()


class Wallet(msgspec.Struct):
    """The token that all requests of a run share. It is not acquired yet where `value` is empty.

    renew_at: of the clock that never goes back, when it is to be acquired anew. proven: something was answered
    otherwise than with 401 since it was acquired in place of one that was not accepted. refused: why there is none.
    redactors: hear of each token.
    """

    token: Token = msgspec.field(default_factory=lambda: Token(value=""))
    renew_at: float = 0.0
    proven: bool = True
    refused: Exception | None = None
    redactors: list[Redactor] = []

    def keep(self, token: Token, renew_at: float) -> None:
        """This one from now on."""
        for redactor in self.redactors:
            redactor.add([token.value])
        self.token, self.renew_at = token, renew_at


class Authority(msgspec.Struct, frozen=True, eq=False):
    """What authenticates the requests of a run. name: of the credential, empty without one.

    yields: a header written in the destination stands instead of the credential's (`override_authorization`).
    stored: its name is that of a stored credential. checked: it is what a check asks about. wallet: the token of a type
    that acquires one. guard: around its type.
    """

    name: str = ""
    type: CredentialType | None = None
    credential: ResolvedCredential | None = None
    yields: bool = False
    stored: bool = False
    checked: bool = False
    wallet: Wallet = msgspec.field(default_factory=Wallet)
    guard: Guard = Guard("the credential type")

    def __repr__(self) -> str:
        return f"Authority(name={self.name!r}, yields={self.yields}, stored={self.stored}, checked={self.checked})"

    @property
    def acquires(self) -> bool:
        """Whether a token is asked for before the first request."""
        return self.type is not None and self.type.acquire is not None and self.credential is not None

    @property
    def unaccepted(self) -> str:
        """What a 401 comes to, and the way out."""
        if self.stored:
            kind = self.type.name if self.type is not None else "TYPE"
            see = f"see: haulier credential check {self.name}"
            anew = f"store it anew: haulier credential add {kind} --name {self.name} --replace"
            return f"it does not accept the credential `{self.name}`; {anew if self.checked else see}"
        if self.credential is not None:
            return "it does not accept the credential that was given"
        if self.yields:
            return "it does not accept the Authorization that `headers` has"
        return (
            "no credential was sent: store one with `haulier credential add`, then write `credential: NAME`"
        )

    def authorize(self) -> Callable[[Request], Added]:
        """What a credential adds to a request, asked at each attempt."""
        kind, credential = self.type, self.credential
        if kind is None or credential is None:
            return lambda _: _NOTHING
        apply, settings = self.guard.around(kind.apply, returns=added_fault), credential.settings
        wallet = self.wallet if kind.acquire is not None else None

        def added(request: Request) -> Added:
            return apply(request, settings if wallet is None else wallet.token, time.time())

        if self.yields:
            return lambda request: _less_written(added(request), request)
        return added

    def redactor(self, *others: Authority) -> Redactor:
        """The last net: takes the secrets of this credential, and of others, out of any text."""
        credentials = [one.credential for one in (self, *others) if one.credential is not None]
        made = Redactor([secret for credential in credentials for secret in credential.secrets()])
        for one in (self, *others):
            one.wallet.redactors.append(made)
        return made


def authority_of(
    site: Site,
    resolved: Resolved,
    registry: Registry,
    given: CredentialLike = None,
    *,
    origins: Collection[str] = (),
) -> Authority:
    """The credential of a destination, or the given one: a stored name, a mapping of values, or `none`.

    origins: all that a given one would go to, where that are more than the destination's own.
    CredentialError where one is needed and missing, unknown, incomplete, or not bound to the destination's origin.
    """
    wanted = resolved.connector.credential_type
    destination = resolved.destination
    choice = given if given is not None else destination.credential
    if choice == NO_CREDENTIAL:
        return Authority(yields=destination.override_authorization)
    if choice is None:
        if wanted in ("", "none") or destination.override_authorization:
            return Authority(yields=destination.override_authorization)
        raise CredentialError(
            f"{place_of(destination, resolved.stage)}: {resolved.connector.title} needs a credential; store one with "
            f"`haulier credential add {wanted} --name NAME` and write `credential: NAME`, or "
            f"`credential: {NO_CREDENTIAL}` where it is to go without"
        )
    if isinstance(choice, str):
        store = CredentialStore(site.credentials())
        kind = registry.credential_type(wanted or store.get(choice).type)
        credential = store.resolve(choice, kind)
    else:
        kind, credential = _from_values(site, resolved, registry, choice, origins or (resolved.origin,))
    _check_stage(credential, resolved)
    redactor = Redactor(credential.secrets())
    guard = replace(guard_of(registry, kind, place=place_of(destination, resolved.stage)), redact=redactor)
    check_acquiring(kind, credential, guard)
    return Authority(
        credential.name,
        kind,
        credential,
        yields=destination.override_authorization,
        stored=isinstance(choice, str),
        wallet=Wallet(redactors=[redactor]),
        guard=guard,
    )


def authorities_of(
    site: Site, stages: Sequence[Resolved], registry: Registry, given: CredentialLike = None
) -> tuple[Authority, ...]:
    """The credential of each stage; a given one takes the place of all that no stage names by itself."""
    found = []
    origins = {resolved.origin for resolved in stages if not _says_itself(resolved)}
    for resolved in stages:
        try:
            found.append(authority_of(site, resolved, registry, given_to(resolved, given), origins=origins))
        except CredentialError as error:
            if resolved.stage is None or str(error).startswith(
                place_of(resolved.destination, resolved.stage)
            ):
                raise
            raise CredentialError(f"stage `{resolved.name}`: {error}") from None
    return tuple(found)


def given_to(resolved: Resolved, given: CredentialLike) -> CredentialLike:
    """The credential that the caller gave, where a stage says nothing of its own; else what it says."""
    return resolved.destination.credential if _says_itself(resolved) else given


def _says_itself(resolved: Resolved) -> bool:
    return resolved.stage is not None and "credential" in resolved.stage.model_fields_set


def _check_stage(credential: ResolvedCredential, resolved: Resolved) -> None:
    """Pass where a credential may go to the origin of a stage, its own one or one that is for the whole chain."""
    try:
        check_binding(credential, resolved.origin)
    except CredentialError as error:
        if resolved.stage is None or _says_itself(resolved):
            raise
        raise CredentialError(
            f"{error}, and write its name in the stage, or `credential: {NO_CREDENTIAL}` where it needs none"
        ) from None


def authority_of_output(site: Site, registry: Registry, settings: Settings, *, place: str) -> Authority:
    """The stored credential that an output names in its settings, held against its `url` where it has one."""
    choice, url = getattr(settings, "credential", None), getattr(settings, "url", None)
    if not isinstance(choice, str) or choice == NO_CREDENTIAL:
        return Authority()
    try:
        store = CredentialStore(site.credentials())
        kind = registry.credential_type(store.get(choice).type)
        credential = store.resolve(choice, kind)
        if isinstance(url, str):
            check_binding(credential, url)
    except CredentialError as error:
        raise CredentialError(f"{place}: {error}") from None
    if kind.acquire is not None:
        raise CredentialError(
            f"{place}: an output cannot acquire tokens as {kind.name} does; take another type"
        )
    guard = replace(guard_of(registry, kind, place=place), redact=Redactor(credential.secrets()))
    return Authority(credential.name, kind, credential, guard=guard)


def asking_for_token(
    kind: CredentialType, credential: ResolvedCredential, guard: Guard, now: float
) -> Generator[TokenRequest, Response, Token]:
    """The `acquire` of a credential type that has one, begun; now: Unix seconds."""
    assert kind.acquire is not None
    asking = guard.around(kind.acquire, returns=acquiring_fault)(credential.settings, now)
    return guard.steps(asking, yields=question_fault, returns=token_fault)


def check_acquiring(kind: CredentialType, credential: ResolvedCredential, guard: Guard) -> None:
    """Pass where the first thing that an `acquire` asks may be asked there; sends nothing."""
    if kind.acquire is None:
        return
    asking = asking_for_token(kind, credential, guard, time.time())
    try:
        question = next(asking, None)
        if question is not None:
            check_binding(credential, question.url)
    finally:
        asking.close()


def _less_written(added: Added, request: Request) -> Added:
    """What a credential adds but for headers that the request has by itself."""
    written = {name.lower() for name, _ in request.headers}
    kept = tuple(pair for pair in added.headers if pair[0].lower() not in written)
    return Added(headers=kept, query=added.query)


def _from_values(
    site: Site, resolved: Resolved, registry: Registry, given: Mapping[str, Any], leads_to: Collection[str]
) -> tuple[CredentialType, ResolvedCredential]:
    """A credential handed in by a program: values by field, and `type` and `origins` where they do not follow."""
    values = dict(given)
    name = values.pop("type", resolved.connector.credential_type)
    if not name:
        raise CredentialError(
            "a credential given as values needs a `type`; see: haulier credential add --help"
        )
    kind = registry.credential_type(name)
    origins = values.pop("origins", None) or kind.origins
    if not origins and site.in_code and len(leads_to) == 1:
        origins = leads_to  # destination and credential come from the same hand
    if not origins:
        several = f": one of {', '.join(sorted(leads_to))}, or several" if len(leads_to) > 1 else ""
        raise CredentialError(
            f"a credential of type {kind.name} needs `origins`, the addresses it may be sent to{several}"
        )
    refs = {
        key: value if isinstance(value, SecretRef) else SecretRef("literal", str(value))
        for key, value in values.items()
    }
    bound = tuple(canonical_origin(origin, place="origins") for origin in origins)
    return kind, resolve_values("given", kind, refs, bound)
