"""What a credential will add to a previewed request, by name only: its values are nobody's business here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from haulier.errors import CredentialError
from haulier.model.parts import Added
from haulier.model.request import Request
from haulier.runs.credentials.authority import authority_of
from haulier.runs.previews.preview import Prepared, Sample

__all__ = ["Marks", "credential_marks"]


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the headers and query parameters a credential adds; problem: why it could not be told, or empty."""

    credential: str = ""
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    problem: str = ""


def credential_marks(ready: Prepared, samples: Sequence[Sample]) -> list[Marks]:
    """Apply the destination's credential to samples and keep the names of what it added to each."""
    try:
        authority = authority_of(ready.site, ready.stages[0], ready.registry)
    except CredentialError as error:
        name = ready.stages[0].destination.credential or ""
        return [Marks(credential=name, problem=str(error))] * len(samples)
    authorize = authority.authorize()
    return [_marks(authority.name, authorize, sample) for sample in samples]


def _marks(name: str, authorize: Callable[[Request], Added], sample: Sample) -> Marks:
    added = authorize(
        Request(
            number=sample.number,
            positions=range(len(sample.positions)),
            method=sample.method,
            url=sample.url,
            headers=sample.headers,
            body=sample.body,
            length=sample.length,
            sha256=bytes.fromhex(sample.sha256),
        )
    )
    return Marks(
        credential=name,
        headers=tuple(name for name, _ in added.headers),
        query=tuple(name for name, _ in added.query),
    )
