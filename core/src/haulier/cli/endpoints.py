"""`haulier endpoints`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from haulier.cli.options import json_option
from haulier.cli.printing import facts, out, out_json, seconds_text, table, wrapped

if TYPE_CHECKING:
    from haulier.model.connector import Connector, EndpointTemplate, Parameter

__all__ = ["command"]

_BATCH = {
    "unit": "one record a call",
    "container": "a list of records a call",
    "whole": "one call for the whole input, never split",
}
_ATTRIBUTES = {
    "body": "the attributes of a record become the body",
    "query": "the attributes of a record become query parameters",
    "none": "only parameters are sent; fill them from records with {record.NAME}",
}


@click.command("endpoints")
@click.argument("connector")
@click.argument("name", required=False)
@json_option
def command(*, connector: str, name: str | None, as_json: bool) -> None:
    """List the calls of a connector, or show all about one."""
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    service = registry.connector(connector)
    chosen = [registry.endpoint(connector, name)] if name else list(registry.endpoints_of(connector))
    if as_json:
        out_json({"endpoints": [one.model_dump(mode="json", exclude={"judge"}) for one in chosen]})
        return
    for line in _page(service, chosen[0]) if name else _list(service, chosen):
        out(line)


def _list(service: Connector, chosen: list[EndpointTemplate]) -> Iterator[str]:
    if not chosen:
        yield f"{service.title}: no endpoint templates; write the request by hand (haulier destination new --url ...)"
        return
    rows = [(one.name, one.method, one.path, one.title + _remarks(one)) for one in chosen]
    yield from table(("name", "method", "path", "title"), rows)
    yield f"\nall about one: haulier endpoints {service.name} NAME"


def _remarks(one: EndpointTemplate) -> str:
    told = [
        word
        for word, holds in (
            ("unverified", not one.verified),
            ("a job", one.follow is not None),
            ("cannot be undone", bool(one.irreversible)),
        )
        if holds
    ]
    return f" ({', '.join(told)})" if told else ""


def _page(service: Connector, one: EndpointTemplate) -> Iterator[str]:
    """All that a newcomer wants to know before the first call."""
    yield f"{one.title}  ({service.name} / {one.name})"
    yield from wrapped(one.description)
    yield ""
    yield from facts(
        [
            ("call", f"{one.method} {service.origin}{one.path}"),
            ("format", ", or ".join(one.content_formats) or "no body"),
            (
                "records",
                _BATCH[one.batch]
                + (f", at least {one.minimum_records} records" if one.minimum_records > 1 else ""),
            ),
            ("attributes", _gathered(one) or _ATTRIBUTES[one.attributes]),
            (
                "taken",
                ", ".join(f"{name} (from {pointer})" for name, pointer in one.takes.items()) or "nothing",
            ),
            *_beyond(one),
            ("repeating", "is harmless" if one.idempotent else "changes what is there, or what is answered"),
            ("facts", f"{'verified' if one.verified else 'UNVERIFIED'}, read {one.read_on} at {one.source}"),
        ]
    )
    if one.irreversible:
        yield ""
        yield from wrapped(f"CANNOT BE UNDONE: {one.irreversible}")
    if one.parameters:
        yield ""
        yield from _parameters(one)
    if one.notes:
        yield "\nnotes"
        for note in one.notes:
            first, *rest = wrapped(note, "    ")
            yield f"  - {first.strip()}"
            yield from rest
    yield f"\nuse it: {_example(service, one)}"


def _gathered(one: EndpointTemplate) -> str:
    """What of each record goes into the list of a batch, where it is not the whole record; else an empty text."""
    item = dict(one.batching or {}).get("item")
    if not item:
        return ""
    names = ", ".join(f"`{name}`" for name in ([item] if isinstance(item, str) else item))
    kind = {"text": ", a text,", "object": ", an object,"}.get(one.item_type, "")
    return f"{names}{kind} of each record goes into the body; `batching.item` names another attribute"


def _beyond(one: EndpointTemplate) -> Iterator[tuple[str, str]]:
    """What comes after the answer: a file to keep, or a job to follow."""
    if one.answers == "file":
        yield "answer", "a file, which goes to the folder `save_body`"
    if one.follow is not None:
        how = one.follow
        given = "; the result is given once" if how.once else ""
        yield (
            "job",
            f"asked for with {how.endpoint} after {how.first_s:g} s, later every {how.most_s:g} s, for at most "
            f"{seconds_text(how.timeout_s)}{given}",
        )


def _parameters(one: EndpointTemplate) -> Iterator[str]:
    yield "parameters (params: in a destination file, --param at `destination new`)"
    for parameter in one.parameters:
        yield f"  {parameter.name}  {_kind(one, parameter)}"
        yield from wrapped(parameter.description, "      ")
        if told := _values(parameter):
            yield from wrapped(told, "      ")
    for group in one.one_of:
        yield f"  exactly one of: {', '.join(group)}"


def _kind(one: EndpointTemplate, parameter: Parameter) -> str:
    needed = "required" if parameter.required else "optional"
    if any(parameter.name in group for group in one.one_of):
        needed = "one of"
    return f"({needed}, {parameter.place}, {parameter.type})"


def _values(parameter: Parameter) -> str:
    told = []
    if parameter.choices:
        told.append(f"one of: {', '.join(parameter.choices)}")
    if parameter.minimum is not None:
        told.append(f"at least {parameter.minimum:g}")
    if parameter.maximum is not None:
        told.append(f"at most {parameter.maximum:g}")
    if parameter.certain:
        told.append("a record with another value is rejected")
    if parameter.service_default:
        told.append(f"left out, the service takes {parameter.service_default}")
    if parameter.example:
        told.append(f"for example {parameter.example}")
    return "; ".join(told)


def _example(service: Connector, one: EndpointTemplate) -> str:
    """A command that makes a destination of this endpoint, named after it; it can be pasted as it is."""
    firsts = [group[0] for group in one.one_of]
    words = [f"haulier destination new {one.name}", f"--connector {service.name}", f"--endpoint {one.name}"]
    if service.credential_type not in ("", "none"):
        words.append(f"--credential {service.name}")
    for parameter in one.parameters:
        if parameter.required or parameter.name in firsts:
            words.append(
                f"--param '{parameter.name}={parameter.example or '{record.' + parameter.name + '}'}'"
            )
            if parameter.place == "file":
                words.append("--files-root pictures")
    if one.answers == "file":
        words.append(f"--set save_body=out/{one.name}")
    return " ".join(words)
