"""Requests and answers for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from haulier.cli.printing import clean

if TYPE_CHECKING:
    from haulier.model.request import FilePart
    from haulier.runs.destinations.trying import TestAnswer
    from haulier.runs.previews.marking import Marks
    from haulier.runs.previews.preview import Sample

__all__ = ["HEADERS_OF_INTEREST", "answer_lines", "body_lines", "records_text", "request_lines"]

_MOST_LINES = 24
_MOST_WIDTH = 160
# Limits and quotas, what kind of answer it is, and what to tell a service's support.
HEADERS_OF_INTEREST = (
    "content-type",
    "location",
    "retry-after",
    "date",
    "request-id",
    "x-request-id",
    "www-authenticate",
)
_LIMITS = ("ratelimit", "monthly-limit", "x-rate")


def request_lines(sample: Sample, marks: Marks, *, full: bool) -> Iterator[str]:
    """One request as it would go out, in the order of the wire."""
    yield f"{sample.method} {_marked_url(sample, marks)}"
    added = [(name, f"[from credential {marks.credential}]") for name in marks.headers]
    last = [pair for pair in sample.headers if pair[0] == "Content-Length"]
    replaced = {name.lower() for name in marks.headers}
    first = [pair for pair in sample.headers if pair not in last and pair[0].lower() not in replaced]
    for name, value in (*first, *added, *last):
        varies = "   (varies)" if f"header {name}" in sample.varies else ""
        yield f"{name}: {value}{varies}"
    if sample.length:
        yield ""
        if sample.uncompressed is not sample.body:
            yield f"<{sample.length:,} bytes compressed with gzip, of>"
        yield from body_lines(sample.uncompressed, full=full)


def records_text(positions: Sequence[int]) -> str:
    """The records of a request, in words."""
    if not positions:
        return "no record"
    return (
        f"record {positions[0]}"
        if len(positions) == 1
        else f"{len(positions):,} records from {positions[0]} on"
    )


def body_lines(body: bytes | tuple[bytes | FilePart, ...], *, full: bool) -> Iterator[str]:
    """A body: exact when `full`, else JSON laid out and long ones cut short. Files by name, size and hash."""
    parts = (body,) if isinstance(body, bytes) else body
    for part in parts:
        if not isinstance(part, bytes) and not part.seen:
            yield f"<file {part.name}, not fetched: --fetch fetches it now>"
        elif not isinstance(part, bytes):
            yield f"<file {part.name}, {part.size:,} bytes, {part.media_type}, sha256 {part.sha256.hex()}>"
        elif full:
            yield from _text(part).removesuffix("\n").split("\n")
        else:
            yield from _cut(_laid_out(part))


def answer_lines(answer: TestAnswer) -> Iterator[str]:
    """What came back, and what a run would make of it."""
    if answer.status is None:
        yield f"no answer: {answer.reason}"
        return
    yield f"status   {answer.status} after {answer.seconds:.2f} s"
    for name, value in answer.headers:
        if name in HEADERS_OF_INTEREST or name.startswith(_LIMITS) or "limit" in name:
            yield f"{name}: {value}"
    if answer.body:
        yield ""
        yield from _laid_out(answer.body)
    yield ""
    yield f"verdict  {answer.verdict}{f': {answer.reason}' if answer.reason else ''}"
    for name, value in answer.taken.items():
        yield f"taken    {name} = {json.dumps(value, ensure_ascii=False)[:_MOST_WIDTH]}"


def _marked_url(sample: Sample, marks: Marks) -> str:
    pairs = "&".join(f"{name}=[from credential {marks.credential}]" for name in marks.query)
    return f"{sample.url}{'&' if '?' in sample.url else '?'}{pairs}" if pairs else sample.url


def _text(content: bytes) -> str:
    """Bytes as text; what is no text is told by its length."""
    try:
        return clean(content.decode())
    except UnicodeDecodeError:
        return f"<{len(content):,} bytes that are no text>"


def _laid_out(content: bytes) -> list[str]:
    """JSON with line breaks and indents, every value as it is written; other text as it is."""
    import msgspec

    if content[:1] in (b"{", b"["):
        try:
            content = msgspec.json.format(content, indent=2)
        except (msgspec.DecodeError, RecursionError):
            return _text(content).splitlines()
    return _text(content).splitlines()


def _cut(lines: list[str]) -> Iterator[str]:
    for line in lines[:_MOST_LINES]:
        yield (
            line
            if len(line) <= _MOST_WIDTH
            else f"{line[:_MOST_WIDTH]}... (--full shows all {len(line):,} characters)"
        )
    if len(lines) > _MOST_LINES:
        yield f"... {len(lines) - _MOST_LINES:,} more lines (--full shows the exact body)"
