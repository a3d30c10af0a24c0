"""What a `base_url` replaces: beside `stages` the address of one connector, and of no other service."""

from __future__ import annotations

from collections.abc import Sequence

from haulier.errors import ConfigurationError, DestinationError
from haulier.model.destination import Call, Destination
from haulier.model.origin import shown_url
from haulier.model.url import split_written
from haulier.plugins.registry import Registry

__all__ = ["shared_base_urls"]


def shared_base_urls(
    destination: Destination, calls: Sequence[Destination], registry: Registry, base_url: str
) -> tuple[str | None, ...]:
    """The base URL of each call of a chain for which one stands beside its stages; None: its address stays.

    A call's own comes first. Then it is the shared one where the call goes to the connector that this is meant for: by
    one of its endpoints, or by a `request.url` at its origin. DestinationError where it would replace nothing, or
    nobody could tell in which stages.
    """
    connector = _meant(destination, calls)
    known = registry.connectors.get(connector)
    origin = known.origin if known is not None else ""
    leads = [not _says_itself(call) and _goes_to(call, connector, origin) for call in calls]
    if not any(leads):
        raise DestinationError(
            f"base_url: {shown_url(base_url)} would replace nothing: beside `stages` it takes the place of the "
            f"connector's own address{f' ({connector})' if connector else ''}, and each stage has a `base_url` of its "
            "own, or another connector, or a `request.url` that leads elsewhere; write it in the stage it is for"
        )
    return tuple(base_url if led else call.base_url for led, call in zip(leads, calls, strict=True))


def _meant(destination: Destination, calls: Sequence[Destination]) -> str:
    """The connector that stands beside the stages, or else the only one whose endpoints they call; empty: none."""
    if "connector" in destination.model_fields_set:
        return destination.connector
    named = sorted({call.connector for call in calls if call.endpoint is not None and not _says_itself(call)})
    if len(named) > 1:
        raise DestinationError(
            f"base_url: the stages go to several connectors ({', '.join(named)}), and it is the address of one: write "
            "it in the stages it is for, or their `connector` beside `stages`"
        )
    return named[0] if named else ""


def _says_itself(call: Call) -> bool:
    """Whether the call has a `base_url` of its own; with `null` it keeps the address that it has."""
    return "base_url" in call.model_fields_set


def _goes_to(call: Call, connector: str, origin: str) -> bool:
    if call.request is None:
        return call.connector == connector
    try:
        return bool(origin) and split_written(call.request.url).origin == origin
    except ConfigurationError:
        return False  # said with its place where the call is resolved
