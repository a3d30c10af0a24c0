"""What a content format is asked for before a run begins: expressions in its settings, and the shape of its payload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from haulier.errors import ConfigurationError, DestinationError, PluginError, RecordError
from haulier.model.destination import Destination
from haulier.model.expression import Expression, RunFacts, parse
from haulier.model.parts import ContentEncoder, GroupingAlgorithm, Settings
from haulier.runs.resolving.guarding import Guard
from haulier.runs.resolving.pieces import Pieces

__all__ = [
    "check_expressions",
    "check_headers",
    "check_no_body",
    "check_shape",
    "settings_for_run",
    "settings_vary",
    "with_compression",
]


def check_expressions(encoder: ContentEncoder, settings: Settings) -> None:
    """Read the expressions of a format's settings; ExpressionError names setting, expression and column."""
    for _ in _expressions(encoder, settings):
        pass


def settings_vary(encoder: ContentEncoder, settings: Settings) -> bool:
    """Whether bodies differ from run to run because the settings use the run's start or id."""
    return any(expression.varies for _, expression in _expressions(encoder, settings))


def settings_for_run(encoder: ContentEncoder, settings: Settings, facts: RunFacts) -> Settings:
    """The settings with the facts of a run filled in; ExpressionError names a param that was not given."""
    if not encoder.expressions:
        return settings
    filled = {name: str(expression.resolve(facts)) for name, expression in _expressions(encoder, settings)}
    return settings.model_copy(update=filled)


def empty_record(algorithm: GroupingAlgorithm, encoder: ContentEncoder) -> Any:
    """A record without attributes, as a grouping that does not wait is handed it."""
    return msgspec.Raw(b"{}") if algorithm.needs == "opaque" and encoder.needs == "opaque" else {}


def check_shape(encoder: ContentEncoder, settings: Settings, payload: Any, place: str) -> None:
    """Try a payload of one empty record; DestinationError where the format cannot carry its shape.

    place: the setting that decides the shape. What else an encoder says of an empty record need not be so of others.
    """
    try:
        Guard(encoder.name).around(encoder.encode)(payload, _tried(encoder, settings))
    except (PluginError, RecordError):
        pass
    except ConfigurationError as error:
        raise DestinationError(f"{place}: {error}") from error


def check_no_body(pieces: Pieces, encoder: ContentEncoder) -> None:
    """DestinationError where no body is sent, and something is to stand in it."""
    if encoder.name != "none":
        return
    told = "content_format: none sends no body, but {} to stand in it; choose another format, or {}"
    if pieces.body:
        raise DestinationError(told.format(f"{pieces.body[0].name} is", "leave that out"))
    if pieces.attributes == "body":
        way = "write `attributes: none` in `request`" if pieces.template is None else "leave it out"
        raise DestinationError(told.format("records are", way))


def check_headers(pieces: Pieces, encoder: ContentEncoder) -> None:
    """DestinationError where a written header is one that the request has by itself."""
    names = {header.name.lower() for header in pieces.address.headers}
    if "content-type" in names and encoder.name != "none":
        settable = "media_type" in encoder.settings.model_fields
        way = "write `format_settings: {media_type: ...}` instead" if settable else "leave it out"
        raise DestinationError(f"headers: Content-Type is set by the content format {encoder.name}; {way}")
    if "content-encoding" in names:
        raise DestinationError(
            "headers: Content-Encoding says what was done to the body; write `compress: gzip`"
        )
    if "idempotency-key" in names and pieces.idempotency_key and pieces.address.method != "GET":
        raise DestinationError(
            "headers: Idempotency-Key is set for every request; write `idempotency_key: false` in `request` to send "
            "one of your own"
        )


def with_compression(destination: Destination, pieces: Pieces, encoder: ContentEncoder) -> Pieces:
    """The pieces with what nobody knows of it; DestinationError where the bodies cannot be compressed."""
    if destination.compress is None:
        return pieces
    where = f"endpoint {pieces.template.name}" if pieces.template is not None else "this request"
    if encoder.name == "none":
        raise DestinationError(f"compress: {where} has no body; leave it out")
    if pieces.files:
        raise DestinationError(f"compress: {where} streams files, which go out as they are; leave it out")
    takes = pieces.template.gzip if pieces.template is not None else None
    if takes is False:
        raise DestinationError(f"compress: {where} takes no compressed bodies; leave it out")
    if takes is None:
        told = f"compress: whether {where} takes compressed bodies is not known; try it with `haulier test`"
        return msgspec.structs.replace(pieces, untried=told)
    return pieces


def _tried(encoder: ContentEncoder, settings: Settings) -> Settings:
    """The settings with facts of no run: every param is an empty text."""
    names = {name for _, expression in _expressions(encoder, settings) for name in expression.names_params}
    return settings_for_run(encoder, settings, RunFacts("", 0.0, dict.fromkeys(names, "")))


def _expressions(encoder: ContentEncoder, settings: Settings) -> Iterator[tuple[str, Expression]]:
    for name in encoder.expressions:
        yield name, parse(getattr(settings, name), place=f"format_settings.{name}")
