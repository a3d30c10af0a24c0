"""What must hold of each thing a plugin brings, looked at by itself.

How things refer to each other is settled later. The pydantic models check their own fields as they are made.
Here is what they cannot know: that a path and its parameters fit, that default settings are settings, and the
plain structs of `haulier.model.parts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from haulier.model.connector import Connector, EndpointTemplate, Name
from haulier.model.destination import Batching, Limits
from haulier.model.fault_words import fault_words
from haulier.model.parts import ContentEncoder, CredentialType, GroupingAlgorithm, OutputType, ReaderType
from haulier.model.pointer import check_pointer
from haulier.plugins.offers import Offer, label_of, word_of

__all__ = ["faults"]

_NAME = TypeAdapter[str](Name)
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_SCHEME = r"[a-z][a-z0-9+.-]*"
_QUOTA = {"limit", "remaining", "reset_epoch"}


def faults(offer: Offer) -> list[str]:
    """What does not hold of one offer, each as `endpoint acme/add: ...`; empty where all holds."""
    return [f"{word_of(offer)} {label_of(offer)}: {fault}" for fault in _faults(offer)]


def _faults(offer: Offer) -> Iterator[str]:
    match offer:
        case Connector():
            yield from _connector(offer)
        case EndpointTemplate():
            yield from _endpoint(offer)
        case CredentialType():
            yield from _part(offer, calls=("apply",))
            yield from (
                f"origin {origin!r} is no scheme://host[:port]"
                for origin in offer.origins
                if not _is_origin(origin)
            )
            if offer.check and offer.check.count("/") != 1:
                yield f"check {offer.check!r} is not `connector/endpoint`"
        case ContentEncoder():
            yield from _part(offer, calls=("encode",))
            yield from _needs(offer, ("opaque", "members", "values"))
            yield from _expressions(offer)
        case GroupingAlgorithm():
            yield from _part(offer, calls=("factory",))
            yield from _needs(offer, ("opaque", "values"))
        case ReaderType():
            yield from _part(offer, calls=("factory",), settings=False)
            yield from _reader(offer)
        case OutputType():
            yield from _part(offer, calls=("factory",))


def _connector(connector: Connector) -> Iterator[str]:
    if connector.origin and not _is_origin(connector.origin):
        yield f"origin {connector.origin!r} is no scheme://host[:port] in lower case"
    yield from _settings_hold(Limits, connector.limits, "limits")
    for meaning, header in connector.quota_headers.items():
        if meaning not in _QUOTA:
            yield f"quota_headers knows {', '.join(sorted(_QUOTA))}, not {meaning!r}"
        if header != header.lower():
            yield f"quota_headers: write {header!r} in lower case"


def _endpoint(endpoint: EndpointTemplate) -> Iterator[str]:
    in_path = {parameter.name for parameter in endpoint.parameters if parameter.place == "path"}
    for name in re.findall(r"\{([^{}]*)\}", endpoint.path):
        if name not in in_path:
            yield f"path {endpoint.path} has {{{name}}}, but no parameter {name!r} has its place there"
    if re.search(r"[?#\\\s]|/\.{1,2}(/|$)|//", endpoint.path):
        yield f"path {endpoint.path!r} may hold no query, fragment, space, empty or dot segment"
    yield from _body(endpoint)
    for name, pointer in (*endpoint.takes.items(), ("ticket", endpoint.ticket)):
        if fault := check_pointer(pointer):
            yield f"the pointer {pointer!r} of {name} {fault}"
    if endpoint.batch == "unit" and (endpoint.batching is not None or endpoint.minimum_records > 1):
        yield "takes one record a call (batch: unit), so batching and minimum_records must be left out"
    if endpoint.item_type != "any" and not dict(endpoint.batching or {}).get("item"):
        yield f"item_type is {endpoint.item_type}, but batching names no `item` that it speaks of"
    if endpoint.batching is not None:
        yield from _settings_hold(Batching, endpoint.batching, "batching")
    if not endpoint.source.strip():
        yield "source is empty: say where its facts were read"


def _body(endpoint: EndpointTemplate) -> Iterator[str]:
    in_body = [parameter.name for parameter in endpoint.parameters if parameter.place in ("body", "file")]
    if (in_body or endpoint.attributes == "body") and not endpoint.content_formats:
        yield (
            "something goes into its body, but content_formats is empty: name the formats that it takes, such as "
            'content_formats=("json",)'
        )
    if endpoint.method == "GET" and endpoint.content_formats:
        yield "a GET has no body, so content_formats must be empty"


def _part(offer: Any, *, calls: tuple[str, ...], settings: bool = True) -> Iterator[str]:
    """Dataclasses check nothing by themselves."""
    try:
        _NAME.validate_python(offer.name, strict=True)
    except ValidationError:
        yield f"the name {offer.name!r} is not lower case words joined by hyphens"
    for field in ("title", "description"):
        if not isinstance(text := getattr(offer, field), str) or not text.strip():
            yield f"{field} is {text!r}, not a text"
    for field in calls:
        if not callable(getattr(offer, field)):
            yield f"{field} cannot be called"
    if settings and not (isinstance(offer.settings, type) and issubclass(offer.settings, BaseModel)):
        yield "settings is not a settings model (a class derived from haulier.authoring.Settings)"


def _needs(offer: GroupingAlgorithm | ContentEncoder, known: tuple[str, ...]) -> Iterator[str]:
    # An author's type checker may not have looked.
    if (needs := str(offer.needs)) not in known:
        told = (
            " nor ".join(map(repr, known))
            if len(known) == 2
            else f"{known[0]!r}, {known[1]!r} nor {known[2]!r}"
        )
        yield f"needs is {needs!r}, neither {told}"


def _expressions(offer: ContentEncoder) -> Iterator[str]:
    fields = getattr(offer.settings, "model_fields", {})
    for name in offer.expressions:
        if name not in fields or fields[name].annotation is not str:
            yield f"expressions names {name!r}, which is no text setting of its settings model"


def _reader(reader: ReaderType) -> Iterator[str]:
    if not reader.endings and not reader.schemes:
        yield "has neither endings nor schemes, so nothing would ever be read by it"
    for ending in reader.endings:
        if not ending.startswith(".") or ending != ending.lower():
            yield f"the ending {ending!r} does not begin with a dot or is not in lower case"
    for scheme in reader.schemes:
        if not re.fullmatch(_SCHEME, scheme):
            yield f"the scheme {scheme!r} is not a URL scheme without `://`"


def _settings_hold(model: type[BaseModel], written: Any, field: str) -> Iterator[str]:
    try:
        model.model_validate(dict(written))
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(map(str, (field, *fault["loc"])))
            yield f"{place} {fault_words(fault)}"


def _is_origin(origin: str) -> bool:
    return _ORIGIN.fullmatch(origin) is not None
