"""What a person writes, as a pydantic model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Written"]


class Written(BaseModel):
    """Strict types, nothing unknown allowed, frozen once read.

    A list that may be left out has `default=[]`, which pydantic copies: a factory costs 2 ms a field at every start.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        strict=True,
        defer_build=True,
        allow_inf_nan=False,
    )
