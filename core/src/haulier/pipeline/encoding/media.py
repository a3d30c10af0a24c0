"""The media type of a body, as a setting."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from haulier.model.parts import Settings

__all__ = ["MEDIA_TYPE_PATTERN", "MediaSettings", "is_media_type", "media_type_field"]

# Without quoted parameters: nothing that could end a header. https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1
MEDIA_TYPE_PATTERN = r"[a-zA-Z0-9_.+-]+/[a-zA-Z0-9_.+-]+(; ?[a-zA-Z0-9_.+-]+=[a-zA-Z0-9_.+-]+)*"
is_media_type = re.compile(MEDIA_TYPE_PATTERN).fullmatch


class MediaSettings(Settings):
    """Settings of a format whose media type may be another one."""

    media_type: str


def media_type_field(default: str) -> Any:
    """The setting `media_type` with its default; anything that is no media type is refused."""
    return Field(
        default=default,
        pattern=f"^{MEDIA_TYPE_PATTERN}$",
        description="what Content-Type says, for a service that has a name of its own for it",
    )
