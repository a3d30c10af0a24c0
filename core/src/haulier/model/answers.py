"""What a destination or an endpoint template says of answers: when a success is one, and what each record came to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from haulier.model.spelling import Spelling

__all__ = ["Condition", "OutcomeMapping", "Place", "Pointer", "StatusWord", "Verdicts"]

StatusWord: TypeAlias = int | str | bool
_STEPS = r"/([^~]|~[01])*"
_POINTER = (
    "must be a JSON pointer: begin it with `/`, such as `/status`, with ~0 for a `~` in a name, ~1 for a `/`"
)
# A JSON pointer into the body (`/status/text`, RFC 6901) or `header:NAME`.
Place: TypeAlias = Annotated[str, Spelling(rf"{_STEPS}|header:[!-~]+", f"{_POINTER}, or write `header:NAME`")]
Pointer: TypeAlias = Annotated[
    str, Spelling(rf"({_STEPS})?", f"{_POINTER}; an empty text means the whole answer")
]
_PointerInside: TypeAlias = Annotated[
    str, Spelling(rf"({_STEPS})?", f"{_POINTER}; an empty text means the whole result")
]


def _answered(status: int) -> int:
    # A 1xx is never the last word: https://www.rfc-editor.org/rfc/rfc9110#section-15
    if not 200 <= status <= 599:
        raise ValueError("must be the status of an answer, from 200 to 599")
    return status


# Status -> what it means.
Verdicts: TypeAlias = Mapping[
    Annotated[int, AfterValidator(_answered)],
    Literal["delivered", "accepted", "retry", "rejected", "unknown", "stop"],
]


class _Written(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        strict=True,
        populate_by_name=True,
        defer_build=True,
        allow_inf_nan=False,
    )


class Condition(_Written):
    """Something an answer must say: the value at a place is one of those listed, or nothing stands there."""

    at: Place = Field(description="JSON pointer into the body, or `header:NAME`")
    values: list[StatusWord] = Field(
        default=[],
        alias="is",
        description="the value, or the values, that it must have; small and capital letters count as the same",
    )
    absent: bool = Field(
        default=False, description="instead of `is`: nothing may stand there, such as errors"
    )

    @field_validator("values", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        values = value if isinstance(value, list) else [value]
        if None in values:
            raise ValueError("cannot be null: write `absent: true` in place of `is`")
        if any(isinstance(one, dict | list) for one in values):
            raise ValueError("must be a text, a whole number, true or false, or a list of such values")
        return values

    @model_validator(mode="after")
    def _one_of_them(self) -> Condition:
        if bool(self.values) == self.absent:
            raise ValueError("write either `is`, what must stand there, or `absent: true`, one of the two")
        return self


class OutcomeMapping(_Written):
    """Where an answer speaks of each record of a batch, and in what words. A record not spoken of is unknown."""

    by: Literal["index", "key", "errors"] = Field(
        description="index: one result a record, in their order, or at the place that `index` finds; key: results "
        "name their record; "
        "errors: only records that failed are listed, the others were delivered"
    )
    at: Pointer = Field(description="JSON pointer to the list of results")
    key: _PointerInside | None = Field(
        default=None, description="pointer inside a result to the value of the record's `key`"
    )
    index: _PointerInside | None = Field(
        default=None, description="pointer inside a result to the record's place in the batch, from 0"
    )
    status: _PointerInside | None = Field(
        default=None, description="pointer inside a result to its status, a number or a word"
    )
    reason: _PointerInside | None = Field(
        default=None, description="pointer inside a result to why it failed"
    )
    delivered: list[StatusWord | None] | None = Field(
        default=None,
        description="statuses that mean delivered, null for a result that has none; unless written: 200 to 299, true, "
        "ok, success, created, updated",
    )
    retry: list[StatusWord] | None = Field(
        default=None,
        description="statuses that mean try again; unless written: 408, 425, 429 and 5xx but 501",
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> OutcomeMapping:
        if self.by == "key" and self.key is None:
            raise ValueError("`by: key` needs `key`, the pointer inside a result to the record's key")
        if self.by == "errors" and self.key is None and self.index is None:
            raise ValueError("`by: errors` needs `index` or `key`, the pointer inside an error to its record")
        return self
