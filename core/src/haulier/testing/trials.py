"""What the functions of a plugin do, tried with what they will meet some day; what is wrong is told once, in words.

What they return is held against the very checks that runs have (`haulier.runs.resolving.returned`), and so are the
blocks of readers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import isgeneratorfunction
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr, ValidationError

from haulier.errors import (
    ConfigurationError,
    HaulierError,
    InputError,
    OutputBusy,
    RecordError,
    TransportError,
)
from haulier.io.doors import FolderDoors
from haulier.io.readers.doors import SourceDoors
from haulier.model.delivery import Stop, Verdict
from haulier.model.parts import (
    ContentEncoder,
    CredentialType,
    Needs,
    OutputType,
    Reader,
    ReaderType,
    Settings,
    Token,
)
from haulier.model.request import Request, Response
from haulier.model.wording import one_line
from haulier.runs.resolving.returned import (
    Check,
    account_fault,
    added_fault,
    body_fault,
    output_fault,
    question_fault,
    verdict_fault,
)

__all__ = ["Samples", "encoding", "items_of", "judging", "learning", "reading", "signing", "sinking", "tried"]

_MOST_OF_A_REASON = 2_000
_NOW = 1_800_000_000.0
_REQUEST = Request(
    number=0,
    positions=range(1),
    method="POST",
    url="https://service.invalid/",
    headers=(),
    body=b"",
    length=0,
    sha256=bytes(32),
)
_BODIES = (
    b"",
    b"{}",
    b"null",
    b"[1, 2]",
    b'"text"',
    b"\xff\xfe\x00",
    b"<!doctype html><title>login</title>",
    b"[" * 100_000,
    b'{"status": null, "result": 7, "error": [], "errors": {}}',
    b'{"status": {"type": 1, "text": null}, "result": {"status": "error"}}',
    b'{"status": {"type": "error", "text": "' + b"x" * 100_000 + b'"}}',
)
_STATUSES = (
    *(200, 201, 202, 204, 301, 400, 401, 403, 404, 405, 406, 408, 409, 410, 413, 422, 429, 500, 501, 503),
)
_LINE = {
    "id": "r:0",
    "run": "r",
    "request": 0,
    "positions": [0],
    "key": "k",
    "state": "delivered",
    "status": 200,
    "attempts": 1,
    "reason": None,
    "ticket": None,
}
_MADE_UP: Mapping[Any, Any] = {str: "sample", SecretStr: "sample", int: 1, float: 1.0, bool: True}


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """What a plugin is tried with. settings: by the name of what they are for; inputs: files, by the name of a reader.

    records: what groupings and encoders are handed, over and over where they are few.
    """

    settings: Mapping[str, Mapping[str, Any]] = {}
    records: Sequence[Mapping[str, Any]] = ()
    inputs: Mapping[str, str | Path] = {}

    def chosen(self, name: str, model: type[Settings]) -> Settings | str | None:
        """The settings of what has this name, or why they do not hold; None where none are given nor can be made up."""
        given = self.settings.get(name)
        made_up = {
            each: _MADE_UP[field.annotation]
            for each, field in model.model_fields.items()
            if field.is_required() and field.annotation in _MADE_UP
        }
        try:
            return model.model_validate(dict(made_up if given is None else given))
        except ValidationError as error:
            if given is None:
                return None
            return f"cannot be tried with {dict(given)}: {error.error_count()} settings do not hold"


def items_of(needs: Needs, count: int, records: Sequence[Mapping[str, Any]]) -> list[Any]:
    """So many items, each an object of its own, in the form that is asked for. records: see `Samples`."""
    each = [dict(records[index % len(records)]) if records else {"n": index} for index in range(count)]
    if needs == "values":
        return each
    if needs == "opaque":
        return [msgspec.Raw(msgspec.json.encode(one)) for one in each]
    return [{name: msgspec.Raw(msgspec.json.encode(value)) for name, value in one.items()} for one in each]


def tried(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a plugin's function gives, or the error it raises, as a value."""
    try:
        return call(*arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin's code may raise anything
        return error


def judging(judge: Callable[..., Any]) -> Iterator[str]:
    """A judge meets whatever a server, a proxy or a login page answers, and may not raise."""

    def looked_at(status: int, body: bytes) -> str:
        said = tried(judge, _REQUEST, Response(status=status, body=body))
        if not (fault := _fault(said, verdict_fault)) and isinstance(said, Verdict | Stop):
            long = len(said.reason) > _MOST_OF_A_REASON
            return f"gave a reason of {len(said.reason):,} characters" if long else ""
        return fault

    answers = [(status, body) for status in _STATUSES for body in _BODIES]
    return _folded("its judge", ((looked_at(*one), _answer(*one)) for one in answers))


def learning(learn: Callable[..., Any]) -> Iterator[str]:
    """What a credential type makes of any answer to its check."""
    tries = (
        (_fault(tried(learn, Response(status=200, body=body)), account_fault), _answer(200, body))
        for body in _BODIES
    )
    return _folded("its `learn`", tries)


def signing(kind: CredentialType, samples: Samples) -> Iterator[str]:
    """What a credential type asks for first, and what it adds to a request."""
    values = samples.chosen(kind.name, kind.settings)
    if values is None or isinstance(values, str):
        yield from [values] if values else []
        return
    given = kind.name in samples.settings
    hint = "" if given else f" (with made-up values; give some: settings={{{kind.name!r}: ...}})"
    if kind.acquire is not None and isgeneratorfunction(kind.acquire):
        asked = tried(next, kind.acquire(values, _NOW))
        if not isinstance(asked, HaulierError) and (fault := _fault(asked, question_fault, "yielded")):
            yield f"its `acquire` {fault}{hint}"
    added = tried(kind.apply, _REQUEST, values if kind.acquire is None else Token(value="sample"), _NOW)
    if not isinstance(added, HaulierError) and (fault := _fault(added, added_fault)):
        yield f"its `apply` {fault}{hint}"


def encoding(encoder: ContentEncoder, samples: Samples, more: Iterable[Any] = ()) -> Iterator[str]:
    """What an encoder makes of a record, of several, and of further payloads; twice, as a resume does."""
    settings = samples.chosen(encoder.name, encoder.settings)
    if settings is None or isinstance(settings, str):
        yield from [settings] if settings else []
        return
    payloads: list[tuple[str, Any]] = [("a record", items_of(encoder.needs, 1, samples.records)[0])]
    if encoder.carries_batches:
        payloads.append(("3 records", items_of(encoder.needs, 3, samples.records)))
        payloads += (("what its grouping builds", payload) for payload in more)
    made = [(what, payload, tried(encoder.encode, payload, settings)) for what, payload in payloads]
    refused = [one for _, _, one in made if isinstance(one, ConfigurationError | RecordError)]
    if len(refused) == len(made) and any(isinstance(one, RecordError) for one in refused):
        yield f"refuses each record it is tried with ({refused[0]}); give some that it takes: records=[...]"
    yield from _folded("its `encode`", ((_unlike(encoder, settings, *one), f"for {one[0]}") for one in made))


def _unlike(encoder: ContentEncoder, settings: Any, what: str, payload: Any, made: Any) -> str:
    if isinstance(made, ConfigurationError | RecordError):
        return ""
    if fault := _fault(made, body_fault):
        return fault
    return "" if tried(encoder.encode, payload, settings) == made else "gave another body the second time"


def reading(reader: ReaderType, samples: Samples) -> Iterator[str]:
    """What a reader makes of its sample, or of an empty file; twice, as a resume does. reader: as runs open it."""
    given = samples.inputs.get(reader.name)
    if given is None and not reader.endings:
        return
    with tempfile.TemporaryDirectory() as folder:
        source = str(given or f"{folder}/empty{reader.endings[0]}")
        if given is None:
            Path(source).touch()
        first, again = tried(_lines, reader, source), tried(_lines, reader, source)
        if isinstance(first, InputError) and given is None:
            return
        if isinstance(first, HaulierError):
            yield str(first)
        elif first != again and _opened(reader, source).repeatable:
            yield f"says that it is repeatable, and gave other records of {source} the second time"


def _opened(reader: ReaderType, source: str) -> Reader:
    return reader.factory(source, SourceDoors(source))


def _lines(reader: ReaderType, source: str) -> list[bytes]:
    return [line for block in _opened(reader, source).blocks() for line in block.lines]


def sinking(output: OutputType, samples: Samples) -> Iterator[str]:
    """What an output does with a line: made, called and closed below a folder of its own; nothing can be sent."""
    settings = samples.chosen(output.name, output.settings)
    if settings is None or isinstance(settings, str):
        yield from [settings] if settings else []
        return
    with tempfile.TemporaryDirectory() as folder:
        made = tried(output.factory, settings, FolderDoors(Path(folder)))
        if isinstance(made, ConfigurationError):
            return  # of settings that are made up, or what it asks for is not here
        if fault := _fault(made, output_fault):
            yield f"its factory {fault}"
            return
        for name, arguments in (("write", ([msgspec.json.encode(_LINE)],)), ("close", ())):
            ended = tried(getattr(made, name), *arguments)
            allowed = isinstance(ended, OutputBusy | TransportError | ConfigurationError) and name == "write"
            if isinstance(ended, BaseException) and not allowed:
                yield f"its `{name}` {_raised(ended)}"


def _fault(found: Any, check: Check, gave: str = "returned") -> str:
    """What is wrong with what `tried` gives; an empty text where nothing is."""
    if isinstance(found, BaseException):
        return _raised(found)
    fault = check(found)
    return f"{gave} {fault}" if fault else ""


def _raised(error: BaseException) -> str:
    said = one_line(str(error))[:200]
    return f"raised {type(error).__name__}{f': {said}' if said else ''}"


def _answer(status: int, body: bytes) -> str:
    return f"for an answer {status} with {body[:40]!r}"


def _folded(who: str, tries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Each kind of fault once, with where it was found first and how often besides. tries: (fault or empty, where)."""
    found: dict[str, list[str]] = {}
    for fault, where in tries:
        if fault:
            found.setdefault(fault.partition(":")[0], []).append(f"{fault} {where}")
    for first, *others in found.values():
        times = "once" if len(others) == 1 else f"{len(others)} times"
        yield f"{who} {first}" + (f", and {times} more" if others else "")
