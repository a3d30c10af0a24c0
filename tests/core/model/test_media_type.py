"""A media type is what RFC 9110 says it is, on one line: quoted parameters stand, nothing that ends a header."""

from __future__ import annotations

import time

import pytest

from haulier.errors import DestinationError
from haulier.model.media_type import is_media_type
from haulier.pipeline.encoding.formats import encoders
from haulier.pipeline.encoding.json import JsonSettings
from haulier.runs.resolving.written import written_settings

ENCODERS = {encoder.name: encoder for encoder in encoders()}
GOOD = [
    "text/plain",
    "application/vnd.api+json",
    "text/csv; charset=utf-8",
    "text/csv;charset=utf-8;header=present",
    "text/csv ; charset=utf-8",
    'application/soap+xml; charset=utf-8; action="urn:x"',
    'application/soap+xml; action="http://example.org/a b;c=\\"d\\"\\\\"',
    'text/plain; title=""',
    "x-a!#$&^_.'*`|~/b%c; d!=e~",
]
BAD = [
    "",
    "text",
    "text/",
    "/plain",
    "text/plain;",
    "text/plain; charset",
    "text/plain; charset=",
    "text/plain; charset = utf-8",
    "text/plain charset=utf-8",
    'text/plain; a="b',
    'text/plain; a="b" c',
    'text/plain; a="\\"',
    "text/plain; a=b c",
    "text/plain\r\nX-Other: 1",
    "text/plain\n",
    'text/plain; a="b\r\nX-Other: 1"',
    'text/plain; a="b\\\nc"',
    'text/plain; a="\0"',
    'text/plain; a="\t"',
    'text/plain; a="\x7f"',
    'text/plain; a="\x85"',
    'text/plain; a="\u2028"',
    "text/pläin",
    " text/plain",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_media_type_is_taken_as_it_is_written(text: str) -> None:
    assert is_media_type(text)
    assert JsonSettings(media_type=text).media_type == text


@pytest.mark.parametrize("text", BAD)
def test_what_is_none_is_refused_in_words(text: str) -> None:
    assert not is_media_type(text)
    with pytest.raises(DestinationError) as refused:
        written_settings(JsonSettings, {"media_type": text}, "format_settings of json")
    assert str(refused.value) == (
        f"format_settings of json.media_type: {text!r} is no media type; write one such as `application/json` or "
        '`text/csv; charset=utf-8`, a value with other signs in double quotes: `application/soap+xml; action="urn:x"`'
    )


@pytest.mark.parametrize(
    "name", ["charset=iso-8859-1", 'Charset="latin1"', "a=b;charset=utf-16", "charset=us-ascii"]
)
def test_no_body_of_text_claims_to_be_in_another_charset(name: str) -> None:
    """A body of bytes may be in any."""
    for encoder in ("json", "ndjson", "csv", "xml", "text"):
        settings = ENCODERS[encoder].settings
        template = {"template": "x"} if encoder == "text" else {}
        with pytest.raises(DestinationError) as refused:
            written_settings(settings, {**template, "media_type": f"text/x; {name}"}, encoder)
        assert "but what is sent is written in UTF-8; write charset=utf-8, or none" in str(refused.value)
        written_settings(settings, {**template, "media_type": 'text/x; CHARSET="UTF-8"'}, encoder)
    assert is_media_type(f"text/x; {name}")
    written_settings(ENCODERS["bytes"].settings, {"media_type": f"text/x; {name}"}, "bytes")


@pytest.mark.parametrize("piece", [" ", "; ", ' ; a="b"', ";a=b ", '"\\'])
def test_a_hostile_text_is_looked_through_in_no_time(piece: str) -> None:
    began = time.process_time()
    assert not is_media_type("a/b" + piece * 20_000 + "\n")
    assert time.process_time() - began < 1
