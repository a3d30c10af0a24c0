"""What `haulier destination new` asks on a terminal for what its options left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haulier.cli.asking import ask, choose
from haulier.cli.printing import say

if TYPE_CHECKING:
    from haulier.model.connector import EndpointTemplate, Parameter
    from haulier.plugins.registry import Registry

__all__ = ["ask_for_rest"]

_BY_HAND = "by-hand"


def ask_for_rest(name: str | None, chosen: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name and all choices, completed by the person at the keyboard."""
    from haulier.runs.resolving.builtins import load_registry

    registry = load_registry()
    chosen = dict(chosen)
    name = name or ask("name of the destination, such as tag-images")
    if not chosen["connector"]:
        chosen["connector"] = choose("connectors", sorted(registry.connectors))
    service = registry.connector(chosen["connector"])
    template = _template(registry, chosen)
    if template is not None:
        _parameters(template, chosen)
    if not chosen["credential"] and service.credential_type != "none":
        chosen["credential"] = ask("name of a stored credential (empty: none)") or None
    if not chosen["key"]:
        chosen["key"] = ask("attribute that names a record, such as sku (empty: none)") or None
    if not chosen["batch_size"] and (template is None or template.batch == "container"):
        size = ask("records a request (empty: one)")
        chosen["batch_size"] = int(size) if size.isdecimal() and int(size) > 0 else None
    if not chosen["outputs"]:
        path = ask("file for the answers, such as out/answers.jsonl (empty: none)")
        chosen["outputs"] = [f"jsonl:{path}"] if path else []
    return name, chosen


def _template(registry: Registry, chosen: dict[str, Any]) -> EndpointTemplate | None:
    """The endpoint template; None for a request by hand, whose URL, method and format are asked for then."""
    if not chosen["endpoint"] and not chosen["url"]:
        names = [one.name for one in registry.endpoints_of(chosen["connector"])]
        word = choose("endpoints", [*names, _BY_HAND]) if names else _BY_HAND
        chosen["endpoint"] = None if word == _BY_HAND else word
    if chosen["endpoint"]:
        return registry.endpoint(chosen["connector"], chosen["endpoint"])
    if not chosen["url"]:
        chosen["url"] = ask("URL, with {record.NAME} where a value comes from the record")
    if not chosen["method"]:
        chosen["method"] = choose("methods", ["GET", "POST", "PUT", "PATCH", "DELETE"], default="POST")
    if not chosen["content_format"] and chosen["method"] not in ("GET", "DELETE"):
        chosen["content_format"] = choose("content formats", sorted(registry.encoders), default="json")
    return None


def _parameters(template: EndpointTemplate, chosen: dict[str, Any]) -> None:
    params = dict(chosen["params"])
    known = {parameter.name: parameter for parameter in template.parameters}
    for group in template.one_of:
        if not set(group) & set(params):
            name = choose("give one of", list(group))
            params[name] = _value(known[name])
    for parameter in template.parameters:
        if parameter.required and parameter.name not in params:
            params[parameter.name] = _value(parameter)
    files = any(known[name].place == "file" for name in params if name in known)
    if files and not chosen["files_root"]:
        chosen["files_root"] = ask("folder below which the files are", default=".")
    chosen["params"] = params


def _value(parameter: Parameter) -> str:
    say(f"{parameter.name}: {parameter.description}")
    return ask(parameter.name, default=parameter.example)
