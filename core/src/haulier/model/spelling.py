"""How a text must be written, with words for people: what refuses a pattern says them instead of the pattern."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["Spelling"]


class Spelling(msgspec.Struct, frozen=True):
    """Annotates a text setting. pattern: all of the text matches it; must: follows the name of the setting.

    `must` begins so and says the way out. The published JSON Schema has the pattern, for editors.
    """

    pattern: str
    must: str

    # https://docs.pydantic.dev/latest/concepts/types/#customizing-validation-with-__get_pydantic_core_schema__
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$"}

    def _checked(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(self.must)
        return value
