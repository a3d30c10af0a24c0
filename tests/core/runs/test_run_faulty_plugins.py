"""What a hook's function raises or returns that it should not stops the run, named, and costs no record anything."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import SecretStr
from tests.core.runs.carrying import counts, rows, within, write_records
from tests.core.runs.wire import Wire
from tests.made import made_endpoint

import haulier
from haulier.authoring import hookimpl
from haulier.errors import CredentialError, HaulierError, PluginError
from haulier.model.connector import Connector, EndpointTemplate, Following
from haulier.model.delivery import DELIVERED, Outcomes, Stop, Verdict
from haulier.model.destination import Destination
from haulier.model.expression import RunFacts
from haulier.model.parts import (
    Added,
    ContentEncoder,
    CredentialType,
    GroupingAlgorithm,
    NoSettings,
    OutputType,
    Portion,
    Settings,
    Token,
    TokenRequest,
)
from haulier.model.request import Body, Response
from haulier.pipeline.shaping import Shape
from haulier.plugins import http
from haulier.plugins.loading import load
from haulier.plugins.registry import Registry
from haulier.runs.jobs.questions import Questioner
from haulier.runs.resolving.builtins import Builtins
from haulier.runs.resolving.guarding import guard_of
from haulier.runs.resolving.resolve import resolve

WHOSE = r"\(plugin tests\.core\.runs\.test_run_faulty_plugins of \(handed in\)\)"
PLACE = "destination `d`: "


class Odd:
    """A plugin that brings one of everything; each function can be put in the place of by one that is faulty."""

    def __init__(self) -> None:
        self.faulty: dict[str, Callable[..., Any]] = {}

    def of(self, part: str, good: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *asked: self.faulty.get(part, good)(*asked)  # noqa: PLW0108 - looked up when it is called

    @hookimpl
    def haulier_connectors(self) -> list[Connector]:
        return [Connector(name="odd", title="Odd", description="An odd one.", credential_type="")]

    @hookimpl
    def haulier_endpoint_templates(self) -> list[EndpointTemplate]:
        made = made_endpoint(
            "call",
            connector="odd",
            method="POST",
            path="/call",
            attributes="body",
            batch="container",
            batching={"size": 20, "grouping": "odd"},
            content_formats=("odd",),
            judge=self.of("judge", lambda request, response: None),
        )
        return [made]

    @hookimpl
    def haulier_grouping_algorithms(self) -> list[GroupingAlgorithm]:
        class Grouping:
            def __init__(self, settings: Any) -> None:
                self.build = odd.of("build", list)

        odd = self
        made = GroupingAlgorithm(
            name="odd", title="Odd", description="An odd one.", factory=self.of("grouping", Grouping)
        )
        return [made, replace(made, name="odd-values", needs="values")]

    @hookimpl
    def haulier_content_encoders(self) -> list[ContentEncoder]:
        def encode(payload: Any, settings: Any) -> Body:
            return Body(parts=(repr(payload).encode(),), media_type="text/odd")

        made = ContentEncoder(
            name="odd",
            title="Odd",
            description="An odd one.",
            media_type="text/odd",
            encode=self.of("encode", encode),
            carries_batches=True,
        )
        return [made]

    @hookimpl
    def haulier_credential_types(self) -> list[CredentialType]:
        def acquire(settings: Any, now: float) -> Generator[TokenRequest, Any, Token]:
            yield TokenRequest(url=self.url)
            return Token(value="abc")

        made = CredentialType(
            name="odd",
            title="Odd",
            description="An odd one.",
            settings=self.settings,
            apply=self.of("apply", lambda request, settings, now: Added(headers=(("X-Odd", "1"),))),
        )
        return [made, replace(made, name="odd-asking", acquire=self.of("acquire", acquire))]

    @hookimpl
    def haulier_outputs(self) -> list[OutputType]:
        class Output:
            def __init__(self, settings: Any, doors: Any) -> None:
                self.write = odd.of("write", lambda lines: None)
                self.close = odd.of("close", lambda: None)

        odd = self
        made = OutputType(
            name="odd",
            title="Odd",
            description="An odd one.",
            settings=NoSettings,
            factory=self.of("output", Output),
        )
        return [made]

    url = ""
    settings: type[Settings] = NoSettings


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Odd:
    return installed(Odd(), monkeypatch)


def installed(made: Odd, monkeypatch: pytest.MonkeyPatch) -> Odd:
    registry = Registry.of(load([Builtins(), http, made], allowed=""))
    monkeypatch.setattr("haulier.runs.sittings.sending.load_registry", lambda: registry)
    return made


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


# What each function is of, as messages name it.
NAMED = {
    "judge": "judge of endpoint odd/call",
    "grouping": "grouping odd",
    "build": "grouping odd",
    "encode": "encoder odd",
    "apply": "credential type odd(-asking)?",
    "acquire": "credential type odd-asking",
    "output": "output odd",
    "write": "output odd",
    "close": "output odd",
}


def send(
    odd: Odd, wire: Wire, part: str, *, values: Mapping[str, str] | None = None, **written: Any
) -> haulier.Report:
    """Carry 60 records in batches of 20, with what such a part is asked for; values: of its credential."""
    odd.url = f"{wire.url}/token"
    write_records(Path("in.jsonl"), 60)
    outputs = {"outputs": [{"to": "odd"}]} if part in ("output", "write", "close") else {}
    made = {"name": "d", "connector": "odd", "endpoint": "call", "base_url": wire.url, **outputs, **written}
    kind = {"apply": "odd", "acquire": "odd-asking"}.get(part)
    given = {"type": kind, "origins": [wire.url], **(values or {})} if kind else None
    return within(60, lambda: haulier.send(made, "in.jsonl", state="state", credential=given))


def raising(error: BaseException) -> Callable[..., Any]:
    def fails(*asked: Any) -> Any:
        raise error

    return fails


def returning(value: Any) -> Callable[..., Any]:
    return lambda *asked: value


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), SystemExit(0), asyncio.CancelledError(), KeyboardInterrupt(), BaseException("no")],
)
@pytest.mark.parametrize("part", NAMED)
def test_whatever_a_plugin_raises_ends_the_run_named_and_nothing_waits_for_it(
    part: str, error: BaseException, odd: Odd, wire: Wire
) -> None:
    odd.faulty[part] = raising(error)
    with pytest.raises(PluginError) as caught:
        send(odd, wire, part)
    assert re.match(f"{PLACE}{NAMED[part]} {WHOSE} raised {type(error).__name__}", str(caught.value))
    del odd.faulty[part]
    assert counts(send(odd, wire, part)) == {"delivered": 60}


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("judge", "delivered", "a value of type str; it must return a Verdict, Outcomes, a Stop or None"),
        ("judge", Verdict("great"), "a Verdict of the kind 'great'; it must be one of accepted, delivered, rej"),  # type: ignore[arg-type]
        ("judge", Verdict("rejected", reason=5), "a Verdict whose reason is a value of type int; it must be a text"),  # type: ignore[arg-type]
        ("judge", Verdict("retry", "why", float("nan")), "a Verdict whose wait_s is no finite number; it must be"),
        ("judge", Verdict("retry", "why", float("inf")), "a Verdict whose wait_s is no finite number; it must be"),
        ("judge", Outcomes([DELIVERED]), "Outcomes of 1 verdicts; there must be one for each record"),
        ("judge", Outcomes([None] * 20), "Outcomes with None among them; all must be Verdict"),  # type: ignore[list-item]
        ("judge", Stop(""), "a Stop without a reason; it must say why, in a text"),
        ("grouping", None, "None; it must return an object with `build(items)`"),
        ("build", None, "None; it must return a dict or a list in which every record stands exactly once, or"),
        ("build", (Portion(payload=b"x", media_type="a\r\nB: c"),), "a Portion whose media_type holds a line break"),
        ("encode", None, "None; it must return a Body"),
        ("encode", "{}", "a value of type str; it must return a Body"),
        ("encode", Body(parts=("abc",)), "a Body with a value of type str among its parts; they must be bytes or"),  # type: ignore[arg-type]
        ("encode", Body(parts=(b"a",), media_type="a\r\nB: c"), "a Body whose media_type holds a line break (U+000D)"),
        ("apply", None, "None; it must return an Added"),
        ("apply", Added(headers={"A": "b"}), "an Added whose headers are no tuple of pairs of texts; write headers"),  # type: ignore[arg-type]
        ("apply", Added(headers=(("A", "secret\r\nB: c"),)), "an Added whose header A holds a line break (U+000D)"),
        ("apply", Added(headers=(("Host", "evil"),)), "an Added with the header Host, which is set by the transport"),
        ("apply", Added(query=(("a", "b c"),)), "an Added with a query pair that is not escaped; it must be in the"),
        ("acquire", None, "None; it must be a generator, which yields each TokenRequest and returns a Token"),
        ("output", None, "None; it must return an object with `write(lines)` and `close()`"),
    ],
)  # fmt: skip
def test_what_a_plugin_returns_is_told_beside_what_it_must_return(
    part: str, value: Any, told: str, odd: Odd, wire: Wire
) -> None:
    odd.faulty[part] = returning(value)
    with pytest.raises(PluginError) as caught:
        send(odd, wire, part)
    text = str(caught.value)
    assert re.match(f"{PLACE}{NAMED[part]} {WHOSE} returned {re.escape(told)}", text)
    assert "secret" not in text
    assert (wire.asked != []) == (part == "judge")
    if part in ("judge", "build", "encode", "apply"):  # else it is seen before there is a run
        told_of = rows(Path("state"), "select state, delivered, accepted, rejected, in_doubt from run")
        assert told_of == [("stopped", 0, 0, 0, 0)]
    del odd.faulty[part]
    assert counts(send(odd, wire, part)) == {"delivered": 60}


def _asks(*wishes: Any, gives: Any = None) -> Callable[..., Any]:
    def acquire(settings: Any, now: float) -> Iterator[Any]:
        yield from wishes
        return gives

    return acquire


@pytest.mark.parametrize(
    ("acquire", "told"),
    [
        (_asks(5), "yielded a value of type int; it must yield a TokenRequest"),
        (_asks(gives=5), "returned a value of type int; it must return a Token"),
        (_asks(gives=Token(value="")), "returned a Token without a value; it must be a text"),
        (
            _asks(gives=Token(value="s3cret", expires_at="soon")),  # type: ignore[arg-type]
            "returned a Token whose expires_at is no finite number; it must be Unix seconds, or None",
        ),
    ],
)
def test_what_is_wrong_with_a_token_ends_the_run_named(
    acquire: Callable[..., Any], told: str, odd: Odd, wire: Wire
) -> None:
    odd.faulty["acquire"] = acquire
    with pytest.raises(PluginError, match=f"^{PLACE}credential type odd-asking {WHOSE} {told}$"):
        send(odd, wire, "acquire")
    assert wire.asked == []


def test_a_fault_of_an_encoder_is_told_with_the_lines_it_is_about(odd: Odd, wire: Wire) -> None:
    write_records(Path("in.jsonl"), 3)
    odd.faulty["encode"] = returning(None)
    request = {"method": "POST", "url": wire.url, "content_format": "odd"}
    with pytest.raises(PluginError) as caught:
        within(60, lambda: haulier.send({"name": "d", "request": request}, "in.jsonl", state="state"))
    assert str(caught.value).endswith(
        "returned None; it must return a Body (line 1). No record is rejected for what a plugin does wrong: mend the "
        "plugin, or have the destination do without it, and go on"
    )


def test_a_judge_that_gives_no_reason_has_the_answer_told_instead(odd: Odd, wire: Wire) -> None:
    odd.faulty["judge"] = returning(Verdict("rejected"))
    assert counts(send(odd, wire, "judge")) == {"rejected": 60}
    assert rows(Path("state"), "select distinct reason from record") == [("the service answered 200: {}",)]


CHANGED = "; to change some, make a new value of each, or return Portions with `carries`"


@pytest.mark.parametrize("needs", ["opaque", "values"])
@pytest.mark.parametrize(
    ("build", "lost", "doubled", "first"),
    [
        (lambda items: items[1:], 1, 0, 1),
        (lambda items: [*items, items[0]], 0, 1, 1),
        (lambda items: {"all": items, "first": items[0]}, 0, 1, 1),
        (lambda items: {"all": items, "again": {"all": list(items)}}, 0, 20, 1),
        (lambda items: [*items[:19], {**items[19], "new": 1}], 1, 0, 20),
        (lambda items: [{"do": 1}, items[0], {"do": 2}, items[2]], 18, 0, 2),
        (lambda items: [], 20, 0, 1),
    ],
)
def test_a_grouping_that_places_records_places_each_once_whatever_it_needs(
    build: Callable[..., Any], lost: int, doubled: int, first: int, needs: str, odd: Odd, wire: Wire
) -> None:
    name = "odd" if needs == "opaque" else "odd-values"
    odd.faulty["build"] = lambda items: build(items) if len(items) > 1 else items
    with pytest.raises(PluginError) as caught:
        send(odd, wire, "build", batching={"size": 20, "grouping": name})
    told = (
        f"{PLACE}grouping {name} left out {lost} of 20 records and placed {doubled} more than once (first: "
        f"line {first}); it must place every record exactly once{CHANGED if needs == 'values' else ''} (lines 1 to 20)"
    )
    assert re.sub(f" {WHOSE}", "", str(caught.value)).startswith(told)
    assert wire.asked == []
    assert rows(Path("state"), "select state, rejected, in_doubt from run") == [("stopped", 0, 0)]


@pytest.mark.parametrize(
    "build",
    [
        lambda items: [{"new": item["id"]} for item in items],
        lambda items: ",".join(str(item["id"]) for item in items),
        lambda items: {"count": len(items), "all": [{"do": 1}, *items]},
        lambda items: tuple(Portion(payload={"one": item}, carries=[at]) for at, item in enumerate(items)),
        lambda items: tuple(
            Portion(payload={**item, "new": 1}, carries=[at]) for at, item in enumerate(items)
        ),
    ],
)
def test_a_grouping_that_needs_values_may_make_new_ones(
    build: Callable[..., Any], odd: Odd, wire: Wire
) -> None:
    odd.faulty["build"] = lambda items: build(items) if items[0] else items
    report = send(odd, wire, "build", batching={"size": 20, "grouping": "odd-values"})
    assert counts(report) == {"delivered": 60}


@pytest.mark.parametrize("needs", ["odd", "odd-values"])
def test_a_payload_that_holds_itself_stops_the_run(needs: str, odd: Odd, wire: Wire) -> None:
    endless: list[Any] = [1, 2]
    endless.append({"again": endless, "once": endless})
    odd.faulty["build"] = lambda items: endless if len(items) > 1 else items
    with pytest.raises(
        PluginError, match=r"returned a payload that holds itself, or nests deeper than 1,000 levels"
    ):
        send(odd, wire, "build", batching={"size": 20, "grouping": needs})
    assert wire.asked == []


@pytest.mark.parametrize(
    ("spread", "told"),
    [
        (raising(ValueError("no")), "raised ValueError: no"),
        (returning([7]), "returned a value of type list; it must return a mapping for each record, or None"),
    ],
)
def test_a_spread_that_fails_is_named(spread: Callable[..., Any], told: str, odd: Odd) -> None:
    made = {"name": "d", "connector": "odd", "endpoint": "call", "base_url": "http://127.0.0.1:9"}
    registry = Registry.of(load([Builtins(), http, odd], allowed=""))
    resolved = resolve(Destination.model_validate(made), registry)
    questioner = Questioner(
        resolved=resolved,
        following=Following(endpoint="call", parameter="id", final="/done", spread=spread),
        facts=RunFacts("r", 0.0),
        root=Path(),
        shape=Shape(),
        item=(),
        guard=guard_of(registry, registry.endpoint("odd", "call"), part="`spread` of", place="here"),
    )
    with pytest.raises(PluginError, match=f"^here: `spread` of endpoint odd/call {WHOSE} {told}$"):
        questioner.parts(Response(status=200, body=b"{}"), [b'{"id":1}'])


def test_what_calls_a_run_off_from_outside_still_does(odd: Odd) -> None:
    async def called_off(url: str) -> bool:
        made = {"name": "d", "request": {"method": "POST", "url": url}}
        task = asyncio.create_task(haulier.asend(made, "in.jsonl", state="state"))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task], timeout=30)
        return task.cancelled()

    write_records(Path("in.jsonl"), 3)
    with Wire(delay_s=60) as slow:
        assert asyncio.run(called_off(slow.url))


class Keyed(Settings):
    """What a credential has that is secret."""

    key: SecretStr


class OddAndKeyed(Odd):
    """The same, whose credential has a key."""

    settings = Keyed


def _flat(secret: str, kind: type[Exception]) -> None:
    raise kind(f"bad key {secret}")


def _behind_another(secret: str, kind: type[Exception]) -> None:
    raise kind("bad key") from ValueError(secret)


def _while_another_was_met(secret: str, kind: type[Exception]) -> None:
    try:
        int(secret)  # whose error says what it was given
    except ValueError:
        raise kind("bad key")  # noqa: B904 - as many write it


def _with_a_note(secret: str, kind: type[Exception]) -> None:
    error = kind("bad key")
    error.add_note(secret)
    raise error


def _beside_its_arguments(secret: str, kind: type[Exception]) -> None:
    raise FileNotFoundError(2, "bad key", secret)


@pytest.mark.parametrize("kind", [ValueError, CredentialError])
@pytest.mark.parametrize(
    "raises", [_flat, _behind_another, _while_another_was_met, _with_a_note, _beside_its_arguments]
)
@pytest.mark.parametrize("part", ["apply", "acquire"])
def test_a_secret_in_what_a_credential_type_raises_is_told_nowhere(
    part: str,
    raises: Callable[[str, type[Exception]], None],
    kind: type[Exception],
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd, secret = installed(OddAndKeyed(), monkeypatch), "open-sesame-7"

    def fails(*asked: Any) -> Any:
        settings = next(one for one in asked if isinstance(one, Keyed))
        raises(settings.key.get_secret_value(), kind)

    odd.faulty[part] = fails
    with pytest.raises(HaulierError) as caught:
        send(odd, wire, part, values={"key": secret})
    told = "".join(traceback.format_exception(caught.value))
    assert "bad key" in told
    assert secret not in told
    kept = [path.read_bytes() for path in Path("state").rglob("*") if path.is_file()]
    assert not any(secret.encode() in one for one in kept)
