"""The media type of a body, as a setting."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from haulier.model.media_type import MediaType
from haulier.model.parts import Settings

__all__ = ["MediaSettings", "media_type_field"]


class MediaSettings(Settings):
    """Settings of a format whose media type may be another one."""

    media_type: MediaType


def media_type_field(default: str) -> Any:
    """The setting `media_type` with its default."""
    return Field(
        default=default, description="what Content-Type says, for a service that has a name of its own for it"
    )
