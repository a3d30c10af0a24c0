"""What to tell the author of a request made by hand, from what its connector knows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from haulier.errors import PluginError
from haulier.model.closest import closest
from haulier.model.connector import EndpointTemplate, Parameter
from haulier.plugins.registry import Registry

__all__ = ["hand_made_warnings", "templates_like"]


def hand_made_warnings(
    registry: Registry,
    connector: str,
    *,
    method: str,
    url: str,
    content_format: str,
    batched: bool,
    fields: Collection[str] = (),
    others: bool = True,
) -> tuple[str, ...]:
    """Warnings about a hand-made request of a connector; none of them keeps it from being sent.

    url: as written, expressions and all. content_format: empty where no body is sent. fields: the names of values that
    are written, wherever they stand; others: whether attributes of records go beside them. Raises PluginError, naming
    the connector, where its own `warnings` fails.
    """
    own = registry.connector(connector).warnings
    told: list[str] = []
    if own is not None:
        try:
            told += own(method, url, content_format)
        except (Exception, SystemExit) as error:  # a plugin's code may raise anything
            raise PluginError(
                f"`warnings` of connector {connector} raised {type(error).__name__}: {error}"
            ) from error
    alike = templates_like(registry, connector, method, url)
    if batched and alike and all(template.batch == "unit" for template in alike):
        names = ", ".join(template.name for template in alike)
        told.append(
            f"{method} {alike[0].path} takes one record a call (endpoint {names}), "
            "but batching is on: leave `batching` out"
        )
    told += [
        warning
        for name, warning in _about_fields(registry, connector, method, url, fields, others=others)
        if not any(name in one for one in told)  # the connector's own words are better
    ]
    return tuple(told)


def _about_fields(
    registry: Registry, connector: str, method: str, url: str, fields: Collection[str], *, others: bool
) -> Iterator[tuple[str, str]]:
    """(a field's name, what is to be told of it) for those that no fitting template has, or that all of them need."""
    alike = templates_like(registry, connector, method, url)
    if not alike or any(template.attributes != "none" for template in alike):
        return
    call = f"{method} {urlsplit(url).path}"
    known = {one.name: one for template in alike for one in template.parameters if one.place != "path"}
    fixed = {name for template in alike for name in template.query}
    for name in fields:
        if name not in known and name not in fixed:
            yield (
                name,
                f"{call} is not known to take `{name}`; {_way_out(registry, connector, url, name, known)}",
            )
    if others:
        return
    missing = [_missing(template, fields) for template in alike]
    if all(missing):
        yield missing[0], f"{call} is not asked for without {missing[0]} (endpoint {alike[0].name})"


def _way_out(registry: Registry, connector: str, url: str, name: str, known: Mapping[str, Parameter]) -> str:
    """Where a value of this name goes instead."""
    for template in registry.endpoints_of(connector):
        named = {one.name: one for one in template.parameters}
        if name in named and _fits(template, url):
            return f"it goes with {template.method}, in the {named[name].place} (endpoint {template.name})"
    close = closest(name, known)
    return f"did you mean `{close[0]}`?" if close else f"it takes {', '.join(known) or 'nothing'}"


def _missing(template: EndpointTemplate, fields: Collection[str]) -> str:
    """What a call needs and is not given, in words; else an empty text."""
    for one in template.parameters:
        if one.required and one.place != "path" and one.name not in fields:
            return one.name
    for group in template.one_of:
        if not any(name in fields for name in group):
            return f"one of {', '.join(group)}"
    return ""


def templates_like(registry: Registry, connector: str, method: str, url: str) -> tuple[EndpointTemplate, ...]:
    """The endpoint templates of a connector with this method whose path fits the URL's, whatever its host."""
    return tuple(
        template
        for template in registry.endpoints_of(connector)
        if template.method == method and _fits(template, url)
    )


def _fits(template: EndpointTemplate, url: str) -> bool:
    """Whether the path of a URL is the template's, with something in the place of each `{name}`."""
    pattern = "[^/]+".join(map(re.escape, re.split(r"\{[^{}]*\}", template.path)))
    return re.fullmatch(pattern, urlsplit(url).path) is not None
