"""`none`: a request without a body."""

from __future__ import annotations

from collections.abc import Mapping

from haulier.errors import DestinationError
from haulier.model.parts import ContentEncoder, NoSettings, Payload
from haulier.model.request import Body

__all__ = ["NONE", "encode"]

_EMPTY = Body()


def encode(payload: Payload, settings: NoSettings) -> Body:
    """The empty body; DestinationError where the payload holds anything, for it would be lost silently."""
    if not payload:
        return _EMPTY
    held = ", ".join(map(repr, payload)) if isinstance(payload, Mapping) else f"a {type(payload).__name__}"
    raise DestinationError(
        f"content format none sends no body, but the payload holds {held}: "
        "choose content format json, form or multipart, or keep the attributes out with `exclude`"
    )


NONE = ContentEncoder(
    name="none",
    title="No body",
    description="Sends no body and no Content-Type; what the call says stands in its address.",
    media_type="",
    encode=encode,
    settings=NoSettings,
    anywhere=True,
)
