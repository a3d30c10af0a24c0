"""What a person wrote besides parameters: headers, and the settings of encoders, groupings and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from haulier.errors import DestinationError
from haulier.model.closest import closest
from haulier.model.destination import Destination
from haulier.model.fault_words import fault_words
from haulier.model.headers import HeaderTemplate, parse_pairs
from haulier.model.parts import Settings

__all__ = ["written_headers", "written_settings"]


def written_headers(
    destination: Destination, more: str | Mapping[str, str] = ""
) -> tuple[HeaderTemplate, ...]:
    """The headers of a destination and of its hand-made request; DestinationError where they clash.

    Authorization is the credential's business unless `override_authorization` says otherwise.
    """
    headers = (*parse_pairs(destination.headers), *parse_pairs(more, place="request.headers"))
    names = [header.name.lower() for header in headers]
    for name in names:
        if names.count(name) > 1:
            raise DestinationError(
                f"headers: {name} stands in `headers` and in `request.headers`; write it once"
            )
    if "authorization" in names and not destination.override_authorization:
        raise DestinationError(
            "headers: Authorization comes from the credential; name one with `credential:` "
            "(or write `override_authorization: true` to send this header instead)"
        )
    return headers


def written_settings(model: type[Settings], written: Mapping[str, Any], place: str) -> Settings:
    """Settings checked by their model; DestinationError names the place, what is wrong and the way out."""
    try:
        return model.model_validate(dict(written))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    # A misspelt name is also a missing one: the name that was written tells more.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    where = ".".join(str(part) for part in first["loc"])
    known = sorted(model.model_fields)
    if first["type"] == "extra_forbidden":
        close = closest(where, known)
        hint = f"did you mean {close[0]}?" if close else f"it has: {', '.join(known) or 'no settings'}"
        raise DestinationError(f"{place}: there is no setting `{where}`; {hint}")
    said = fault_words(first)
    raise DestinationError(f"{place}{'.' + where if where else ''}: {said}")
