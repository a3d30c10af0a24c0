"""The calls of the service: facts with their source and the day they were read."""

from __future__ import annotations

from datetime import date
from functools import partial

from haulier.authoring import EndpointTemplate, Parameter, Request, Response, Verdict, look_up

__all__ = ["ANNOUNCE_PARCELS", "FETCH_PARCEL"]


def _judge(_request: Request, response: Response) -> Verdict | None:
    """The service answers 200 also where it took nothing; None leaves an answer to the default rules."""
    problem = look_up(response.body, "/problem")
    return Verdict("rejected", f"Parcels says: {problem}") if response.status == 200 and problem else None


_call = partial(
    EndpointTemplate,
    connector="parcels",
    answers="json",
    judge=_judge,
    verified=True,
    source="https://api.parcels.example/docs",
    read_on=date(2026, 11, 22),
)

ANNOUNCE_PARCELS = _call(
    name="announce-parcels",
    title="Announce parcels",
    description="Announces parcels to a depot, many in one call.",
    method="POST",
    path="/v1/depots/{depot}/parcels",
    parameters=(
        Parameter(
            name="depot",
            place="path",
            description="Where they will be handed in.",
            required=True,
            example="north",
        ),
    ),
    attributes="body",
    content_formats=("json", "json-lines"),
    batch="container",
    batching={"size": 50, "grouping": "manifest"},
    takes={"manifest": "/manifest"},
)

FETCH_PARCEL = _call(
    name="fetch-parcel",
    title="Fetch a parcel",
    description="Fetches one parcel per record; it is gone afterwards.",
    method="DELETE",
    path="/v1/parcels/{id}",
    parameters=(
        Parameter(
            name="id",
            place="path",
            description="Number of the parcel.",
            required=True,
            example="{record.id}",
        ),
    ),
    idempotent=False,
    irreversible="A fetched parcel cannot be handed back.",
    takes={"weight": "/weight"},
)
