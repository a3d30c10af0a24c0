"""Which answers are files."""

from __future__ import annotations

import re

from haulier.model.request import Response

__all__ = ["is_file", "media_type_of"]

# What text and JSON answers are stays in the outputs.
_TEXTS = re.compile(r"(text/.*|application/(.*\+)?(json|xml|problem\+json|x-www-form-urlencoded))$")


def media_type_of(response: Response) -> str:
    """What an answer says it is, in lower case and without parameters; empty where it does not say."""
    return (response.header("content-type") or "").partition(";")[0].strip().lower()


def is_file(response: Response) -> bool:
    """Whether an answer is a file: a success of at least one byte that does not say that it is text or JSON."""
    return 200 <= response.status < 300 and bool(response.body) and not _TEXTS.match(media_type_of(response))
