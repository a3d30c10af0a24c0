"""What the conformance list finds by trying what a plugin brings, each shown by one that does just that wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import Field, SecretStr

from haulier.authoring import (
    Added,
    Block,
    Body,
    ConfigurationError,
    ContentEncoder,
    CredentialType,
    Doors,
    GroupingAlgorithm,
    OutputBusy,
    OutputType,
    ReaderType,
    RecordError,
    Settings,
    Token,
    TokenRequest,
    hookimpl,
)
from haulier.testing.conformance import check_plugin

RECORDS = [{"id": "a"}, {"id": "b"}]


class Brings:
    """A plugin with these offers alone."""

    def __init__(self, *offers: Any) -> None:
        self._offers = offers

    def _of(self, kind: type) -> list[Any]:
        return [one for one in self._offers if isinstance(one, kind)]

    @hookimpl
    def haulier_credential_types(self) -> list[CredentialType]:
        return self._of(CredentialType)

    @hookimpl
    def haulier_grouping_algorithms(self) -> list[GroupingAlgorithm]:
        return self._of(GroupingAlgorithm)

    @hookimpl
    def haulier_content_encoders(self) -> list[ContentEncoder]:
        return self._of(ContentEncoder)

    @hookimpl
    def haulier_readers(self) -> list[ReaderType]:
        return self._of(ReaderType)

    @hookimpl
    def haulier_outputs(self) -> list[OutputType]:
        return self._of(OutputType)


def words(name: str) -> dict[str, str]:
    return {"name": name, "title": name.capitalize(), "description": f"{name.capitalize()}."}


def by_id(item: Any) -> str:
    """What a plugin asks for that takes no record without an id."""
    if "id" not in item:
        raise RecordError("has no id")
    return str(item["id"])


class _ById:
    def __init__(self, _settings: Any) -> None:
        """Nothing to set."""

    def build(self, items: Sequence[Any]) -> dict[str, Any]:
        """Each below its id; of samples that come again and again the last would stand."""
        return {"of": [by_id(item) for item in items], "all": list(items)}


BY_ID = GroupingAlgorithm(**words("by-id"), factory=_ById, needs="values", formats=("ids",))


def ids(payload: Any, _settings: Any) -> Body:
    if not isinstance(payload, dict) or "all" not in payload:
        raise ConfigurationError("carries what by-id builds")
    return Body(parts=(",".join(map(by_id, payload["all"])).encode(),), media_type="text/plain")


def encoder(encode: Any, **more: Any) -> ContentEncoder:
    return ContentEncoder(**{**words("odd"), "media_type": "text/plain", "encode": encode, **more})


def test_a_plugin_that_takes_not_just_any_record_is_tried_with_those_it_is_given() -> None:
    refused = "refuses the records it is tried with (has no id); give some that it takes: records=[...]"
    plugin = Brings(BY_ID, encoder(ids, name="ids", carries_batches=True))
    assert check_plugin(plugin) == [f"grouping by-id: {refused}"]
    assert check_plugin(plugin, records=RECORDS) == []
    alone = Brings(encoder(lambda item, _: Body(parts=(by_id(item).encode(),), media_type="text/plain")))
    assert check_plugin(alone) == [
        "content format odd: refuses each record it is tried with (has no id); give some that it takes: records=[...]"
    ]
    assert check_plugin(alone, records=RECORDS) == []


def raises(*_: Any) -> Any:
    raise KeyError("boom")


count = itertools.count()


@pytest.mark.parametrize(
    ("encode", "fault"),
    [
        (raises, "its `encode` raised KeyError: 'boom' for a record, and once more"),
        (
            lambda *_: None,
            "its `encode` returned None; it must return a Body for a record, and once more",
        ),
        (
            lambda *_: Body(parts=(b"%d" % next(count),), media_type="text/plain"),
            "its `encode` gave another body the second time for a record, and once more",
        ),
        (
            lambda payload, _: Body(parts=(b"x",), media_type="text/plain\n" if payload else ""),
            "its `encode` returned a Body whose media_type",
        ),
        (
            lambda payload, _: Body() if isinstance(payload, dict) else "three",
            "its `encode` returned a value of type str; it must return a Body for 3 records",
        ),
    ],
)
def test_what_an_encoder_does_wrong_is_told_once(encode: Any, fault: str) -> None:
    (found,) = check_plugin(Brings(encoder(encode, carries_batches=True)))
    assert found.startswith(f"content format odd: {fault}")


class _Secret(Settings):
    token: SecretStr = Field(description="a token")


def credential_type(**more: Any) -> CredentialType:
    whole = {**words("odd"), "settings": _Secret, "apply": lambda *_: Added(), **more}
    return CredentialType(**whole)


def asks_oddly(_settings: Any, _now: float) -> Iterator[Any]:
    yield 7


def asks(_settings: Any, _now: float) -> Iterator[Any]:
    yield TokenRequest(url="https://login.example/token")
    return Token(value="t")


HINT = "(with made-up values; give some: settings={'odd': ...})"


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, []),
        ({"acquire": asks, "apply": lambda _, token, now: Added(headers=(("T", token.value),))}, []),
        ({"apply": raises}, [f"its `apply` raised KeyError: 'boom' {HINT}"]),
        ({"apply": lambda *_: None}, [f"its `apply` returned None; it must return an Added {HINT}"]),
        (
            {"acquire": asks_oddly},
            [f"its `acquire` yielded a value of type int; it must yield a TokenRequest {HINT}"],
        ),
    ],
)
def test_what_a_credential_type_does_wrong_is_told(changes: dict[str, Any], faults: list[str]) -> None:
    told = [f"credential type odd: {fault}" for fault in faults]
    assert check_plugin(Brings(credential_type(**changes))) == told


def test_a_credential_type_is_tried_with_the_values_it_is_given() -> None:
    def apply(_request: Any, settings: _Secret, _now: float) -> Added:
        return Added(headers=(("T", str(int(settings.token.get_secret_value(), 16))),))

    plugin = Brings(credential_type(apply=apply))
    assert len(check_plugin(plugin)) == 1
    assert check_plugin(plugin, settings={"odd": {"token": "ff"}}) == []


class _Reader:
    """Reads a line as a record; told to, it does not."""

    def __init__(self, path: str, doors: Doors, how: str) -> None:
        self.repeatable = True
        self._path, self._doors, self._how = path, doors, how

    def blocks(self) -> Iterator[Block]:
        with self._doors.open_read(self._path) as file:
            for number, line in enumerate(file):
                text = msgspec.json.encode({"n": next(count)}) if self._how == "others" else line.strip()
                yield Block(first=0 if self._how == "overlap" else number, lines=[text])


def reader(how: str) -> ReaderType:
    factory: Any = lambda path, doors: None if how == "none" else _Reader(path, doors, how)  # noqa: E731
    return ReaderType(**words("odd"), factory=factory, endings=(".odd",))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("well", None),
        ("none", "no reader"),
        ("overlap", "`first`"),
        ("others", "says that it is repeatable, and gave other records of "),
    ],
)
def test_a_reader_is_tried_with_its_sample(how: str, told: str | None, tmp_path: Path) -> None:
    sample = tmp_path / "sample.odd"
    sample.write_text('{"n":1}\n{"n":2}\n')
    found = check_plugin(Brings(reader(how)), inputs={"odd": sample})
    assert len(found) == (told is not None)
    assert all(one.startswith("reader odd: ") and str(told) in one for one in found), found


def test_a_reader_without_a_sample_is_tried_with_an_empty_file() -> None:
    assert check_plugin(Brings(reader("well"))) == []
    assert len(check_plugin(Brings(reader("none")))) == 1


class _Path(Settings):
    path: str = Field(description="a file")


class _Output:
    def __init__(self, settings: _Path, doors: Doors, write: Any, close: Any) -> None:
        self._doors, self._file = doors, doors.open_append(settings.path)
        self._write, self._close = write, close

    def write(self, lines: Sequence[bytes]) -> None:
        self._write(self._file, lines)

    def close(self) -> None:
        self._file.close()
        self._close()


def busy(*_: Any) -> None:
    raise OutputBusy("not now")


@pytest.mark.parametrize(
    ("write", "close", "faults"),
    [
        (lambda file, lines: file.write(lines[0]), lambda: None, []),
        (busy, lambda: None, []),
        (raises, lambda: None, ["its `write` raised KeyError: 'boom'"]),
        (lambda *_: None, raises, ["its `close` raised KeyError: 'boom'"]),
    ],
)
def test_an_output_is_made_called_and_closed(write: Any, close: Any, faults: list[str]) -> None:
    output = OutputType(
        **words("odd"), settings=_Path, factory=lambda settings, doors: _Output(settings, doors, write, close)
    )
    assert check_plugin(Brings(output)) == [f"output odd: {fault}" for fault in faults]


def test_a_factory_of_an_output_that_gives_none_is_told() -> None:
    output = OutputType(**words("odd"), settings=_Path, factory=lambda *_: None)  # type: ignore[arg-type,return-value]
    assert check_plugin(Brings(output)) == [
        "output odd: its factory returned None; it must return an object with `write(lines)` and `close()`"
    ]
