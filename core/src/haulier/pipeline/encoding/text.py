"""`text`: a template with expressions, rendered for each record."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from pydantic import Field

from haulier.errors import RecordError
from haulier.model.column import Column, Record, join_columns, texts_at, values_at
from haulier.model.expression import Fault, parse
from haulier.model.media_type import TextMediaType
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body
from haulier.pipeline.encoding.json import json_text
from haulier.pipeline.encoding.media import MediaSettings, media_type_field
from haulier.pipeline.encoding.values import Booleans, attributes_of, records_of
from haulier.pipeline.encoding.xml import xml_text

__all__ = ["TEXT", "TextSettings", "encode"]

_MEDIA_TYPE = "text/plain; charset=utf-8"
# Where str.splitlines and some services begin a new line.
_LINE_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_QUOTE_OR_ESCAPED = re.compile(r'\\.|"', re.DOTALL)
_Escape: TypeAlias = Literal["none", "json", "xml", "url"]
_LineBreaks: TypeAlias = Literal["keep", "space", "refuse"]
_Absent: TypeAlias = Literal["refuse", "empty"]


class TextSettings(MediaSettings):
    """Settings of `text`."""

    template: str = Field(
        description="what each record becomes, such as `{record.sku}: {record.title}`; `{{` and `}}` stand for braces"
    )
    separator: str = Field(default="\n", description="between the records of a batch, as it is written")
    begin: str = Field(default="", description="before the first record, as it is written")
    end: str = Field(default="", description="after the last record, as it is written")
    escape: _Escape = Field(
        default="none",
        description=(
            "what values of records are escaped for. `none`: they stand as they are; `json`: as JSON values, "
            "texts in their quotes, lists and objects too; `xml`: as text between tags or in a quoted attribute; "
            "`url`: percent-encoded"
        ),
    )
    line_breaks: _LineBreaks = Field(
        default="keep",
        description="a line break in a value. `keep`; `space`: a space instead; `refuse`: the record is rejected",
    )
    absent: _Absent = Field(
        default="refuse",
        description=(
            "an attribute that is missing, or null where `escape` is not `json`. `refuse`: the record is rejected; "
            "`empty`: no text"
        ),
    )
    booleans: Booleans = "words"
    media_type: TextMediaType = media_type_field(_MEDIA_TYPE)


def encode(payload: Payload, settings: TextSettings) -> Body:
    """The template filled in for each record; values are never read as templates themselves.

    RecordError names in `each` the records without a value, or with one that cannot stand there.
    """
    records = records_of(payload, "text")
    rows: list[Record] = []
    faults: list[tuple[Any, str]] = []
    for record in records:
        try:
            rows.append(attributes_of(record))
        except RecordError as error:
            rows.append({})
            faults.append((record, str(error)))
    column = _compiled(
        settings.template, settings.escape, settings.line_breaks, settings.absent, settings.booleans
    )
    texts = column(rows)
    faults += [
        (record, f"template: {text.reason}")
        for record, text in zip(records, texts, strict=True)
        if isinstance(text, Fault) and not any(record is one for one, _ in faults)
    ]
    if faults:
        raise RecordError(faults[0][1], each=faults)
    whole = settings.begin + settings.separator.join(map(str, texts)) + settings.end
    try:
        return Body(parts=(whole.encode(),), media_type=settings.media_type)
    except UnicodeEncodeError as error:
        raise RecordError("a value holds half a surrogate pair: mend the text") from error


def quoted_twice(settings: TextSettings) -> tuple[str, ...]:
    """Warnings about values that bring JSON's quotes along and stand between quotes already."""
    if settings.escape != "json":
        return ()
    expression = parse(settings.template, place="format_settings.template")
    inside = _quotes(settings.begin) % 2 == 1
    found: dict[str, None] = {}
    for part in expression.parts:
        if isinstance(part, str):
            inside ^= _quotes(part) % 2 == 1
        elif inside and part.kind == "record":
            found[str(part)] = None
    return tuple(
        f"format_settings.template: {one} stands between quotes, and `escape: json` gives a text quotes of its own; "
        "take those around it out, or make what stands between them one attribute, with `add`"
        for one in found
    )


def _quotes(text: str) -> int:
    """How many quotes there are that begin or end a text of JSON."""
    return sum(found == '"' for found in _QUOTE_OR_ESCAPED.findall(text))


@lru_cache(maxsize=64)
def _compiled(
    template: str, escape: _Escape, line_breaks: _LineBreaks, absent: _Absent, booleans: str
) -> Column:
    expression = parse(template, place="format_settings.template")
    finish = _finisher(escape, line_breaks)
    parts: list[str | Column] = []
    for part in expression.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        if escape == "json":
            column = _json_column(part.path)
        else:
            column = texts_at(part.path, finish, digits=booleans == "digits")
        parts.append(_or_empty(column) if absent == "empty" else column)
    return join_columns(parts)


def _finisher(escape: _Escape, line_breaks: _LineBreaks) -> Callable[[str], str | Fault]:
    def finish(text: str) -> str | Fault:
        if line_breaks == "refuse" and _LINE_BREAK.search(text):
            return Fault("a value holds a line break: mend it, or write `line_breaks: space`")
        if line_breaks == "space":
            text = _LINE_BREAK.sub(" ", text)
        if escape == "xml":
            return xml_text(text).replace('"', "&quot;").replace("'", "&#39;")
        return quote(text, safe="") if escape == "url" else text

    return finish


def _json_column(path: tuple[str, ...]) -> Column:
    values, name = values_at(path), ".".join(path)

    def column(records: Sequence[Record]) -> list[str | Fault]:
        return [
            value if isinstance(value, Fault) else json_text(value, name).decode()
            for value in values(records)
        ]

    return column


def _or_empty(column: Column) -> Column:
    def filled(records: Sequence[Record]) -> list[str | Fault]:
        return ["" if isinstance(text, Fault) and text.absent else text for text in column(records)]

    return filled


TEXT = ContentEncoder(
    name="text",
    title="Text from a template",
    description="A template with expressions, filled in for each record: a line, a sentence, a document.",
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=TextSettings,
    carries_batches=True,
    needs="members",
    charset="utf-8",
    expressions=("template",),
    warnings=quoted_twice,
    anywhere=True,
)
