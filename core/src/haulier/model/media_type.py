"""Media types as people and plugins write them: `text/csv; charset=utf-8`, one line that can end no header."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

__all__ = ["MediaType", "TextMediaType", "is_media_type"]

# https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1, with its token (5.6.2), quoted-string (5.6.4) and parameters
# (5.6.6); less than it allows: no tabs, and nothing beyond ASCII.
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_MEDIA_TYPE = rf"{_NAME}/{_NAME}(?: *; *{_NAME}=(?:{_NAME}|{_QUOTED}))*"
# Parameters are of any case: https://www.rfc-editor.org/rfc/rfc9110#section-8.3.2
_CHARSET = r'(?i);\s*charset="?([^";]*)'


def is_media_type(text: str) -> bool:
    """Whether a text is a media type, with or without parameters, and so can stand in a header as it is."""
    return re.fullmatch(_MEDIA_TYPE, text) is not None


def _media_type(text: str) -> str:
    if not is_media_type(text):
        raise ValueError(
            f"{text!r} is no media type; write one such as `application/json` or `text/csv; charset=utf-8`, a value "
            'with other signs in double quotes: `application/soap+xml; action="urn:x"`'
        )
    return text


def _in_utf8(text: str) -> str:
    found = re.search(_CHARSET, text)
    if found is not None and found[1].lower() not in ("utf-8", "utf8"):
        raise ValueError(
            f"says charset={found[1]}, but what is sent is written in UTF-8; write charset=utf-8, or none"
        )
    return text


# For a setting that is one.
MediaType: TypeAlias = Annotated[str, AfterValidator(_media_type)]
# For one of a body that is text, which is always written in UTF-8.
TextMediaType: TypeAlias = Annotated[MediaType, AfterValidator(_in_utf8)]
