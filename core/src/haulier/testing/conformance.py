"""What a plugin must satisfy, written once: Haulier's own plugins and a stranger's are held to the same list.

In a plugin's tests::

    def test_it_conforms():
        assert check_plugin(haulier_acme) == []

It finds what the loader would refuse, and what a reader of the plugin would miss: facts without a source,
parameters without a word about them, calls that cannot be undone and do not say so. What a plugin brings besides
data is tried with what it will meet some day, see `haulier.testing.trials`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import isgeneratorfunction
from pathlib import Path
from types import GeneratorType
from typing import Any

import msgspec
from pydantic import SecretStr, ValidationError

from haulier.errors import PluginError, RecordError
from haulier.model.connector import Connector, EndpointTemplate, Parameter
from haulier.model.parts import (
    ContentEncoder,
    CredentialType,
    Grouping,
    GroupingAlgorithm,
    Portion,
    ReaderType,
    Settings,
    Work,
)
from haulier.pipeline.places import check_carried, check_places
from haulier.plugins import http
from haulier.plugins.loading import load
from haulier.plugins.offers import Plugin
from haulier.plugins.registry import Registry
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.resolving.builtins import Builtins
from haulier.testing.trials import (
    Samples,
    encoding,
    items_of,
    judging,
    learning,
    reading,
    signing,
    sinking,
    tried,
)

__all__ = ["check_endpoint", "check_grouping", "check_plugin"]

_SEEN_IN_CODE = "seen in public client code, address unknown, read "
_SECRET_NAME = re.compile(r"(?i)secret|password|passwd|api_?key|access_?token|authorization")
_ODD_URLS = ("", "/", "http://", 'https://x/{record.a}?b={record["c.d"]}#e', "http://[", "no url at all")


def check_plugin(
    plugin: object,
    *,
    beside: Sequence[object] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    records: Sequence[Mapping[str, Any]] = (),
    inputs: Mapping[str, str | Path] | None = None,
) -> list[str]:
    """Everything that is wrong with a plugin, each in a sentence; empty where nothing is.

    plugin: the module (or object) that holds the hooks. beside: other plugins it builds upon: what it refers to
    (another's connector, a credential type) must be brought by core, by them or by itself.
    settings: by name, settings with which its groupings, encoders, credential types and outputs are tried; what is
    left out is tried with its defaults, or with values that are made up. records: with which groupings and encoders are
    tried, instead of `{"n": 0}`, `{"n": 1}` and so on; over and over where they are few. inputs: by name, files that
    its readers are tried with, instead of an empty one.
    """
    try:
        loaded = load([Builtins(), http, *beside, plugin], allowed="")
    except PluginError as error:
        return [str(error)]
    samples = Samples(settings=settings or {}, records=records, inputs=inputs or {})
    readers = {one.name: one for one in readers_of(Registry.of(loaded))}
    return [*_check(loaded.plugins[-1], samples, readers)]


def _check(plugin: Plugin, samples: Samples, readers: Mapping[str, ReaderType]) -> Iterator[str]:
    """readers: by name, as runs open them."""
    if not list(plugin.offers()):
        yield f"{plugin.place} brings nothing: no hook of it is found"
    for connector in plugin.connectors:
        yield from (f"connector {connector.name}: {fault}" for fault in _connector(connector))
    for endpoint in plugin.endpoint_templates:
        yield from check_endpoint(endpoint)
    for kind in plugin.credential_types:
        faults = (*_credential_type(kind), *signing(kind, samples))
        yield from (f"credential type {kind.name}: {fault}" for fault in faults)
    for algorithm in plugin.grouping_algorithms:
        yield from check_grouping(algorithm, samples.settings.get(algorithm.name, {}), samples.records)
    for encoder in plugin.content_encoders:
        built = _built_for(encoder, plugin.grouping_algorithms, samples)
        yield from (f"content format {encoder.name}: {fault}" for fault in encoding(encoder, samples, built))
    for reader in plugin.readers:
        yield from (f"reader {reader.name}: {fault}" for fault in reading(readers[reader.name], samples))
    for output in plugin.outputs:
        yield from (f"output {output.name}: {fault}" for fault in sinking(output, samples))


def check_endpoint(endpoint: EndpointTemplate) -> list[str]:
    """What is wrong with one endpoint template beyond what loading it finds."""
    faults = [*_facts(endpoint), *_calls(endpoint)]
    if endpoint.judge is not None:
        faults += judging(endpoint.judge)
    for parameter in endpoint.parameters:
        faults += (f"parameter {parameter.name}: {fault}" for fault in _parameter(parameter))
    return [f"endpoint {endpoint.connector}/{endpoint.name}: {fault}" for fault in faults]


def check_grouping(
    algorithm: GroupingAlgorithm, settings: Mapping[str, Any], records: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """What is wrong with a grouping when it is tried with these settings and one, two and a hundred items.

    records: what the items are, over and over where they are few; without any, `{"n": 0}`, `{"n": 1}` and so on.
    """
    label = f"grouping {algorithm.name}"
    try:
        chosen = algorithm.settings.model_validate(dict(settings))
    except ValidationError as error:
        return [f"{label}: cannot be tried with {dict(settings)}: {error.error_count()} settings do not hold"]
    grouping = tried(algorithm.factory, chosen)
    if isinstance(grouping, BaseException):
        return [f"{label}: its factory raised {type(grouping).__name__}: {grouping}"]
    batches = [items_of(algorithm.needs, count, records) for count in (1, 2, 100)]
    refused = tried(grouping.build, batches[0])
    if isinstance(refused, RecordError):
        return [
            f"{label}: refuses the records it is tried with ({refused}); give some that it takes: records=[...]"
        ]
    return [f"{label}: {fault}" for items in batches for fault in _building(algorithm, grouping, items)]


def _built_for(
    encoder: ContentEncoder, groupings: Sequence[GroupingAlgorithm], samples: Samples
) -> Iterator[Any]:
    """What the groupings that are made for this content format build."""
    for algorithm in groupings:
        settings = samples.chosen(algorithm.name, algorithm.settings)
        if encoder.name not in algorithm.formats or algorithm.waits or not isinstance(settings, Settings):
            continue
        needs = "values" if algorithm.needs == "values" else encoder.needs
        grouping = tried(algorithm.factory, settings)
        built = (
            None
            if isinstance(grouping, BaseException)
            else tried(grouping.build, items_of(needs, 3, samples.records))
        )
        if type(built) is tuple and built and isinstance(built[0], Portion):
            built = built[0].payload
        if not isinstance(built, BaseException | bytes | None):
            yield built


def _building(algorithm: GroupingAlgorithm, grouping: Grouping, items: list[Any]) -> Iterator[str]:
    """What is wrong with what a grouping builds of these items, or that it raises."""
    built = tried(grouping.build, list(items))
    if isinstance(built, BaseException):
        yield f"its `build` raised {type(built).__name__} for {len(items)} items: {built}"
    elif algorithm.waits:
        yield from _waiting(built, items)
    else:
        if tried(grouping.build, list(items)) != built:
            yield f"the same {len(items)} items gave two different payloads"
        misplaced = tried(_check_placed, algorithm, built, items)
        if isinstance(misplaced, BaseException):
            yield str(misplaced)


def _check_placed(algorithm: GroupingAlgorithm, built: Any, items: list[Any]) -> None:
    """Pass where a run would find each item where it must be; else it raises what that would."""
    parts = [(built, items)]
    if type(built) is tuple and any(isinstance(one, Portion) for one in built):
        check_carried(built, len(items))
        parts = [
            (one.payload, items if one.carries is None else [items[at] for at in one.carries])
            for one in built
            if not isinstance(one.payload, bytes | msgspec.Raw)
        ]
    anew = algorithm.needs == "values"
    for payload, carried in parts:
        check_places(payload, carried, what="its `build`", where=lambda at: f"item {at}", anew=anew)


def _waiting(building: Any, items: list[Any]) -> Iterator[str]:
    """What is wrong with a grouping that waits: it hands all items to its work, and returns what it makes of them."""
    if type(building) is not GeneratorType:
        yield "says that it waits, but its `build` is no generator"
        return
    work = tried(building.send, None)
    if isinstance(work, BaseException):
        yield f"its `build` raised {type(work).__name__} before it yielded any work: {work}"
        return
    if not isinstance(work, Work) or list(map(id, work.items)) != list(map(id, items)):
        yield f"the work it yields is not about its {len(items)} items, the very objects, in order"
    ended = tried(building.send, (Portion(payload=items),))
    if isinstance(ended, StopIteration):
        return
    if isinstance(ended, BaseException):
        yield f"its `build` raised {type(ended).__name__} after its work was done: {ended}"
        return
    yield "yields more work after the first was done; it should return the payload"


def _connector(connector: Connector) -> Iterator[str]:
    yield from _texts(connector)
    if connector.warnings is None:
        return
    for url in _ODD_URLS:
        told = tried(connector.warnings, "POST", url, "json")
        if not isinstance(told, tuple) or not all(isinstance(each, str) and each.strip() for each in told):
            yield f"warnings gave {told!r} for the URL {url!r}, not a tuple of texts"


def _credential_type(kind: CredentialType) -> Iterator[str]:
    fields = kind.settings.model_fields
    if fields and not any(field.annotation is SecretStr for field in fields.values()):
        yield "no value of it is a SecretStr, so everything of it would be shown"
    if kind.acquire is not None and not isgeneratorfunction(kind.acquire):
        yield "acquire is no generator: it is to yield TokenRequests and to return a Token"
    if not kind.settings.model_config.get("hide_input_in_errors"):
        yield "its settings show their input in errors: derive them from haulier.authoring.Settings"
    for name, field in fields.items():
        if not (field.description or "").strip():
            yield f"{name} has no description"
    if kind.learn is not None:
        yield from learning(kind.learn)


def _facts(endpoint: EndpointTemplate) -> Iterator[str]:
    yield from _texts(endpoint)
    if not endpoint.source.startswith(("https://", "http://", _SEEN_IN_CODE)):
        yield f"source {endpoint.source!r} is neither an address nor `{_SEEN_IN_CODE}DATE`"
    if not endpoint.verified and not endpoint.notes:
        yield "it is not verified, and no note says what is not known"


def _calls(endpoint: EndpointTemplate) -> Iterator[str]:
    if endpoint.method == "DELETE" and not endpoint.irreversible:
        yield "it deletes: say in `irreversible` what cannot be undone"
    if endpoint.method == "DELETE" and endpoint.attributes == "body":
        yield "it deletes and puts attributes into a body, which servers may leave out"
    if endpoint.batch != "unit" and endpoint.attributes != "body":
        yield f"it takes many records a call (batch: {endpoint.batch}), but attributes do not go into a body"
    if endpoint.ticket and endpoint.ticket not in endpoint.takes.values():
        yield "its ticket is not among `takes`, so no output would show it"
    if endpoint.answers == "file" and endpoint.takes:
        yield "it answers with a file, so there is no JSON that `takes` could point into"
    for name in (*endpoint.query, *(one.name for one in endpoint.parameters)):
        if _SECRET_NAME.search(name):
            yield f"parameter {name}: a secret belongs to a credential type, where it is bound and never shown"
    if endpoint.follow is not None and endpoint.follow.spread is not None:
        yield from _spreading(endpoint.follow.spread)


def _spreading(spread: Callable[..., Any]) -> Iterator[str]:
    """A last answer can be anything; what is told of it goes to the records in their order."""
    answers: tuple[Any, ...] = (None, 7, [], {}, {"result": {"ticket_result": {"groups": [[{}], 7]}}})
    for answer in answers:
        said = tried(spread, answer, ["a", "b", None, 7])
        if said is None:
            continue
        if (
            not isinstance(said, Sequence)
            or len(said) != 4
            or not all(isinstance(one, Mapping) for one in said)
        ):
            yield f"its `spread` gave {said!r} for four records, neither None nor a mapping for each"
            return


def _parameter(parameter: Parameter) -> Iterator[str]:
    if not parameter.description.strip():
        yield "has no description"
    if parameter.place == "path" and not parameter.required:
        yield "stands in the path, so it is required"
    if parameter.place == "path" and not parameter.example:
        yield "stands in the path, and no example shows what is meant"
    shown = [word for word in (parameter.example, parameter.service_default) if word and "{" not in word]
    for word in (
        each.strip() for text in shown for each in (text.split(",") if parameter.several else [text])
    ):
        if parameter.choices and word not in parameter.choices:
            yield f"{word!r} is shown, but is none of its choices"
    if parameter.certain and not parameter.bounded:
        yield "is certain of its bounds, and has none: no choices, minimum, maximum or pattern"
    if parameter.pattern:
        yield from _pattern(parameter)


def _pattern(parameter: Parameter) -> Iterator[str]:
    """What does not fit is told by the example, so that one must fit."""
    try:
        fits = re.fullmatch(parameter.pattern, parameter.example)
    except re.error as error:
        yield f"its pattern is no regular expression: {error}"
        return
    if fits is None:
        yield f"its example {parameter.example!r} does not fit its pattern"


def _texts(offer: Connector | EndpointTemplate) -> Iterator[str]:
    for field in ("title", "description"):
        if not getattr(offer, field).strip():
            yield f"{field} is empty"
