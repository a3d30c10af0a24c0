"""What all calls of Imagga have in common."""

from __future__ import annotations

from datetime import date
from functools import partial

from haulier.authoring import EndpointTemplate

__all__ = ["imagga_call"]

imagga_call = partial(
    EndpointTemplate,
    connector="imagga",
    answers="json",
    # 0 and 1, never true and false: https://github.com/henomis/imagga-go
    booleans="digits",
    read_on=date(2026, 11, 22),
)
