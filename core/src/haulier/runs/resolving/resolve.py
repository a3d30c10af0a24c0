"""From what a person wrote to what runs: a destination held against the registry, checked and compiled.

Everything that can be known to be wrong before the first record is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from haulier.errors import ConfigurationError, DestinationError, PluginError, RecordError
from haulier.io.transports.choose import transport_name
from haulier.model.connector import Connector
from haulier.model.destination import Batching, Destination, Limits, Stage
from haulier.model.parts import ContentEncoder, GroupingAlgorithm, Portion, Settings
from haulier.pipeline.attributes import Way
from haulier.plugins.registry import Registry
from haulier.runs.resolving.bases import shared_base_urls
from haulier.runs.resolving.by_hand import pieces_by_hand
from haulier.runs.resolving.by_template import pieces_by_template
from haulier.runs.resolving.formatting import (
    check_expressions,
    check_headers,
    check_no_body,
    check_shape,
    empty_record,
    with_compression,
)
from haulier.runs.resolving.guarding import GuardedGrouping, guard_of
from haulier.runs.resolving.ordered import check_order
from haulier.runs.resolving.pieces import Pieces
from haulier.runs.resolving.resolved import Resolved, place_of
from haulier.runs.resolving.routing import check_outputs, names_of_chain, names_of_stage
from haulier.runs.resolving.shape import shape_of
from haulier.runs.resolving.written import written_settings

__all__ = ["resolve", "resolve_stages"]


def resolve(destination: Destination, registry: Registry, *, base_url: str | None = None) -> Resolved:
    """Check a destination against what is installed; DestinationError or ConfigurationError says what is wrong.

    Of a chain: its first stage, the one that is called with the records as they are read.
    """
    return resolve_stages(destination, registry, base_url=base_url)[0]


def resolve_stages(
    destination: Destination, registry: Registry, *, base_url: str | None = None
) -> tuple[Resolved, ...]:
    """Every stage of a chain in order; of a destination without stages the one call it makes. Raises as `resolve`.

    base_url: stands in place of the one that is written for the call, or beside the stages.
    """
    stages, calls = zip(*destination.calls, strict=True)
    bases: Sequence[str | None] = [call.base_url for call in calls]
    if shared := base_url or destination.base_url:
        bases = [shared] if destination.stages is None else _shared(destination, calls, registry, shared)
    resolved = [
        _resolve_call(call, stage, registry, base)
        for call, stage, base in zip(calls, stages, bases, strict=True)
    ]
    _check_chain(destination, resolved, registry)
    return tuple(resolved)


def _shared(
    destination: Destination, calls: Sequence[Destination], registry: Registry, base_url: str
) -> Sequence[str | None]:
    try:
        return shared_base_urls(destination, calls, registry, base_url)
    except DestinationError as error:
        raise DestinationError(f"{place_of(destination, None)}: {error}") from None


def _check_chain(destination: Destination, stages: Sequence[Resolved], registry: Registry) -> None:
    """What no stage can see by itself."""
    if destination.stages is None:
        return
    place = f"destination `{destination.name}`"
    try:
        check_outputs(destination.outputs, registry, names_of_chain(one.template for one in stages))
    except ConfigurationError as error:
        raise type(error)(f"{place}: {error}") from None
    folders = [one.destination.save_body for one in stages if one.destination.save_body is not None]
    if len(set(folders)) < len(folders):
        raise DestinationError(
            f"{place}: two stages have the same `save_body`; give each a folder of its own"
        )
    _check_answers(stages)


def _check_answers(stages: Sequence[Resolved]) -> None:
    """A stage reads what earlier ones answered: no record has an attribute with the name of a stage."""
    for at, resolved in enumerate(stages):
        silent = {later.name for later in stages[at:]}
        renamed = (path for path, _ in shape_of(resolved.destination).rename)
        for path in (*resolved.record_paths, *renamed):
            if path[0] in silent:
                place = place_of(resolved.destination, resolved.stage)
                raise DestinationError(
                    f"{place}: {{record.{'.'.join(path)}}}: stage `{path[0]}` has not answered when this one is "
                    "called; name an earlier stage"
                )


def _resolve_call(
    destination: Destination, stage: Stage | None, registry: Registry, base_url: str | None
) -> Resolved:
    try:
        connector = registry.connector(destination.connector)
        if destination.request is not None:
            inherits = stage is not None and "connector" not in stage.model_fields_set
            pieces = pieces_by_hand(destination, destination.request, registry, base_url, inherits=inherits)
        else:
            template = registry.endpoint(connector.name, destination.endpoint or "")
            pieces = pieces_by_template(destination, connector, template, base_url)
        transport_name(destination.transport, pieces.address.origin)  # whether it is installed
        return _assembled(destination, stage, connector, pieces, registry)
    except ConfigurationError as error:
        raise type(error)(f"{place_of(destination, stage)}: {error}") from None


def _assembled(
    destination: Destination, stage: Stage | None, connector: Connector, pieces: Pieces, registry: Registry
) -> Resolved:
    encoder = registry.encoder(pieces.format_name)
    settings = written_settings(
        encoder.settings,
        {**_booleans(encoder, pieces.address.booleans), **destination.format_settings},
        f"format_settings of {encoder.name}",
    )
    check_expressions(encoder, settings)
    check_headers(pieces, encoder)
    check_no_body(pieces, encoder)
    pieces = with_compression(destination, pieces, encoder)
    _check_files(destination, pieces, encoder, registry)
    check_order(destination, batches=pieces.batching is not None or pieces.whole)
    _check_outcomes(destination, pieces)
    algorithm, grouping_settings = _grouping(pieces, encoder, settings, registry)
    if pieces.batching is None and pieces.attributes == "body":
        alone = msgspec.Raw(b"{}") if encoder.needs == "opaque" else {}
        check_shape(encoder, settings, alone, "content_format")
    names = names_of_stage(pieces.template, single=pieces.batching is None)
    check_outputs(destination.outputs, registry, names)
    return Resolved(
        destination=destination,
        stage=stage,
        connector=connector,
        pieces=pieces,
        encoder=encoder,
        encoder_settings=settings,
        registry=registry,
        algorithm=algorithm,
        grouping_settings=grouping_settings,
        way=_way(destination, pieces, encoder, algorithm),
        limits=_limits(connector, destination),
    )


def _check_outcomes(destination: Destination, pieces: Pieces) -> None:
    outcomes = destination.outcomes or (pieces.template.outcomes if pieces.template is not None else None)
    if outcomes is None or destination.key is not None:
        return
    if outcomes.by == "key" or (outcomes.by == "errors" and outcomes.index is None):
        raise DestinationError(
            "outcomes: a result names its record by its key, so write `key`, the attribute that has it; without, "
            "nobody could tell which record is meant"
        )


def _check_files(
    destination: Destination, pieces: Pieces, encoder: ContentEncoder, registry: Registry
) -> None:
    if not pieces.files:
        return
    name = pieces.files[0].name
    if pieces.batching is not None:
        raise DestinationError("batching: a request with files carries one record; leave `batching` out")
    if not encoder.files:
        able = ", ".join(sorted(one.name for one in registry.encoders.values() if one.files))
        raise DestinationError(
            f"{name} is a file, which the content format {encoder.name} cannot carry; use {able}"
        )
    if destination.files_root is None and not destination.fetch:
        raise DestinationError(
            f"{name} is read from a file: write `files_root`, the folder that files must be below, or `fetch: true` "
            "where records name files by URL"
        )


def _grouping(
    pieces: Pieces, encoder: ContentEncoder, encoder_settings: Settings, registry: Registry
) -> tuple[GroupingAlgorithm | None, Settings | None]:
    batching = pieces.batching
    if batching is None:
        return None, None
    if not encoder.carries_batches:
        able = ", ".join(sorted(one.name for one in registry.encoders.values() if one.carries_batches))
        raise DestinationError(
            f"batching: the content format {encoder.name} cannot carry batches; these can: {able}"
        )
    for value in pieces.body:
        if value.expression.needs_record:
            raise DestinationError(
                f"{value.name} stands once beside all records of a batch, so it cannot come from a record; "
                "write a constant"
            )
    return _algorithm(pieces, batching, encoder, encoder_settings, registry)


def _algorithm(
    pieces: Pieces,
    batching: Batching,
    encoder: ContentEncoder,
    encoder_settings: Settings,
    registry: Registry,
) -> tuple[GroupingAlgorithm, Settings]:
    algorithm = registry.grouping(batching.grouping.name)
    if algorithm.formats and encoder.name not in algorithm.formats:
        raise DestinationError(
            f"batching.grouping: {algorithm.name} goes with the content format {' or '.join(algorithm.formats)}, not "
            f"with {encoder.name}; write content_format: {algorithm.formats[0]}, or take another grouping"
        )
    if pieces.body and algorithm.waits:
        raise DestinationError(
            f"{pieces.body[0].name}: the grouping {algorithm.name} makes the whole body; write this value there"
        )
    settings = written_settings(
        algorithm.settings, batching.grouping.settings, f"batching.grouping {algorithm.name}"
    )
    grouping = GuardedGrouping(algorithm.factory, settings, guard_of(registry, algorithm))
    if algorithm.waits:
        return algorithm, settings
    try:
        payload = grouping.build([empty_record(algorithm, encoder)])
    except (PluginError, RecordError):
        return algorithm, settings  # it makes nothing of an empty record; that need not be wrong
    if type(payload) is tuple and payload and isinstance(payload[0], Portion):
        payload = payload[0].payload
    if isinstance(payload, bytes) and not pieces.body:
        return algorithm, settings
    if pieces.body:
        _check_beside(pieces, algorithm.name, payload)
    check_shape(encoder, encoder_settings, payload, "batching")
    return algorithm, settings


def _check_beside(pieces: Pieces, grouping: str, payload: Any) -> None:
    """Further values of the body need an object to stand in, and a name of their own."""
    for value in pieces.body:
        if not isinstance(payload, dict):
            raise DestinationError(
                f"{value.name}: the grouping {grouping} makes no JSON object in which a value could stand beside "
                "the records; use the grouping property"
            )
        if value.name in payload:
            raise DestinationError(
                f"{value.name}: the grouping {grouping} sets this property itself; take another name"
            )


def _way(
    destination: Destination, pieces: Pieces, encoder: ContentEncoder, algorithm: GroupingAlgorithm | None
) -> Way:
    """The cheapest faithful way to read the records."""
    batching = pieces.batching
    item = batching is not None and bool(batching.item or batching.group_by)
    in_body = pieces.attributes == "body"
    if _needs_values(encoder, algorithm):
        from_records = any(value.expression.needs_record for value in pieces.body)
        if in_body or item or from_records:
            return "full"
    looked_into = (
        item,
        in_body and encoder.needs == "members",
        pieces.attributes == "query",
        pieces.address.needs_record,
        pieces.body,
        pieces.files,
        shape_of(destination).asks,
    )
    return "shallow" if any(looked_into) else "untouched"


def _needs_values(encoder: ContentEncoder, algorithm: GroupingAlgorithm | None) -> bool:
    if algorithm is None:
        return encoder.needs == "values"
    if algorithm.waits:
        return False  # what it is handed is text, and what comes back is no record any more
    return "values" in (encoder.needs, algorithm.needs)


def _limits(connector: Connector, destination: Destination) -> Limits:
    own = {name: getattr(destination.limits, name) for name in destination.limits.model_fields_set}
    return Limits.model_validate(dict(connector.limits)).model_copy(update=own)


def _booleans(encoder: ContentEncoder, booleans: str) -> dict[str, str]:
    return {"booleans": booleans} if "booleans" in encoder.settings.model_fields else {}
