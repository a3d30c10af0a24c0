"""What settings models complain of is said in our words, whatever is wrong."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, StringConstraints, ValidationError, field_validator

from haulier.model.fault_words import fault_words


class Model(BaseModel):
    text: str = "a"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    share: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.5
    flag: bool = True
    kind: Literal["a", "b"] = "a"
    name: Annotated[str, StringConstraints(min_length=1, max_length=3, pattern="^[a-z]*$")] = "a"
    names: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    table: dict[str, str] = {}
    odd: str = "a"

    @field_validator("odd")
    @classmethod
    def _odd(cls, value: str) -> str:
        if value != "a":
            raise ValueError("is odd; write a")
        return value


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"text": 1}, "must be text"),
        ({"count": "x"}, "must be a whole number"),
        ({"count": 0}, "must be at least 1"),
        ({"count": 10}, "must be at most 9"),
        ({"share": 0}, "must be above 0"),
        ({"share": 1}, "must be below 1"),
        ({"share": "x"}, "must be a number"),
        ({"share": float("nan")}, "must be a finite number"),
        ({"flag": "perhaps"}, "must be true or false"),
        ({"kind": "c"}, "must be 'a' or 'b'"),
        ({"name": ""}, "must have at least 1 character"),
        ({"name": "abcd"}, "must have at most 3 characters"),
        ({"name": "A"}, "is not written as it must be (pattern ^[a-z]*$)"),
        ({"names": []}, "must have at least 1 value"),
        ({"names": "a"}, "must be a list"),
        ({"table": "a"}, "must be a mapping of keys"),
        ({"odd": "b"}, "is odd; write a"),
    ],
    ids=str,
)
def test_each_kind_of_fault_has_words(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Model.model_validate(written)
    assert fault_words(refused.value.errors()[0]) == words
