"""The pieces of a destination whose request was made by hand."""

from __future__ import annotations

from haulier.errors import DestinationError
from haulier.model.connector import Attributes
from haulier.model.destination import Batching, Destination, ManualRequest
from haulier.model.expression import parse
from haulier.model.url import split_base, split_written
from haulier.pipeline.address import AddressTemplate
from haulier.pipeline.spec import BodyValue
from haulier.plugins.advice import hand_made_warnings
from haulier.plugins.registry import Registry
from haulier.runs.resolving.parameters import value_expression
from haulier.runs.resolving.pieces import FileParameter, Pieces
from haulier.runs.resolving.written import written_headers

__all__ = ["pieces_by_hand"]

_BODILESS = ("GET", "DELETE")


def pieces_by_hand(
    destination: Destination,
    request: ManualRequest,
    registry: Registry,
    base_url: str | None,
    *,
    inherits: bool = False,
) -> Pieces:
    """Check a hand-made request; DestinationError says what cannot be, warnings what its service would say.

    inherits: whether its connector is written for all stages of a chain, of which this one may call another service.
    """
    if destination.params:
        raise DestinationError(
            f"params.{next(iter(destination.params))}: a request made by hand has no parameters; "
            "write the value into request.url, request.body or request.files"
        )
    url = split_written(request.url)
    attributes = _attributes(request)
    has_body = attributes == "body" or bool(request.body or request.files)
    batching = Batching() if destination.batching is True else destination.batching or None
    usual = registry.grouping(batching.grouping.name).formats if batching is not None else ()
    chosen = destination.content_format or request.content_format or (usual[0] if usual else "json")
    _check_batching(batching, attributes, request.method)
    connector = _connector_at(registry, destination.connector, url.origin, inherits=inherits)
    origin, base_path = split_base(base_url) if base_url is not None else (url.origin, "")
    return Pieces(
        address=AddressTemplate(
            method=request.method,
            origin=origin,
            base_path=base_path,
            path=url.path,
            query=url.query,
            headers=written_headers(destination, request.headers),
        ),
        attributes=attributes,
        format_name=chosen if has_body else "none",
        body=tuple(
            BodyValue(name, value_expression(value, f"request.body.{name}"), True)
            for name, value in request.body.items()
        ),
        files=tuple(
            FileParameter(name, parse(path, place=f"request.files.{name}"), True)
            for name, path in request.files.items()
        ),
        batching=batching,
        idempotency_key=request.idempotency_key,
        warnings=hand_made_warnings(
            registry,
            connector,
            method=request.method,
            url=request.url,
            content_format=chosen if has_body else "",
            batched=batching is not None,
            fields=[*(item.name for item in url.query), *request.body, *request.files],
            others=attributes != "none",
        ),
    )


def _attributes(request: ManualRequest) -> Attributes:
    """Where the attributes of a record go: as written, else as the method suggests."""
    bodiless = request.method in _BODILESS
    if request.attributes is None:
        attributes: Attributes = "body"
        if bodiless:
            attributes = "query" if request.method == "GET" else "none"
    else:
        attributes = request.attributes
    if bodiless and attributes == "body":
        raise DestinationError(f"request.attributes: a {request.method} has no body; write query or none")
    if bodiless and (request.body or request.files):
        raise DestinationError(
            f"request.body: a {request.method} has no body; write the values into request.url"
        )
    return attributes


def _check_batching(batching: Batching | None, attributes: Attributes, method: str) -> None:
    """Raise DestinationError where records are to travel together and there is no body for them to travel in."""
    if batching is None or attributes == "body":
        return
    told = "; send them with POST, PUT or PATCH"
    if method not in _BODILESS:
        told = (
            f", and `request.attributes: {attributes}` keeps them out of it; leave out that line, or batching"
        )
    raise DestinationError(f"batching: records travel together in a body only{told}")


def _connector_at(registry: Registry, named: str, origin: str, *, inherits: bool) -> str:
    """The connector whose service stands at this origin: it knows what a hand-made request should look like.

    One that is named for this very request counts wherever that goes: to an emulator or a gateway, say.
    """
    own = registry.connector(named).origin
    if own and not (inherits and own != origin):
        return named
    nobodys = "http" if inherits else named
    return next((name for name, one in registry.connectors.items() if one.origin == origin), nobodys)
