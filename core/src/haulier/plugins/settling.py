"""How what plugins bring fits together: names taken once, and nothing that refers to what is not there.

A plugin that does not fit is broken as a whole. That can take away what another one refers to, so plugins are
taken out one at a time until the rest holds. Earlier plugins win: the built-in ones, then by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from haulier.plugins.offers import Plugin
from haulier.plugins.wording import known

__all__ = ["settle"]

# No credential at all needs no credential type, and an empty one takes them all.
_WITHOUT_TYPE = ("", "none")


def settle(plugins: Sequence[Plugin]) -> tuple[list[Plugin], list[tuple[Plugin, str]]]:
    """(the plugins that fit together, in their order; those that do not, each with the reason)."""
    standing = list(plugins)
    broken: list[tuple[Plugin, str]] = []
    while fault := _first_fault(standing):
        standing.remove(fault[0])
        broken.append(fault)
    return standing, broken


def _first_fault(plugins: Sequence[Plugin]) -> tuple[Plugin, str] | None:
    # References first: a plugin that falls by them leaves its names to others.
    tables = {word: _names(plugins, word) for word in ("connector", "endpoint", "encoder", "credential type")}
    for plugin in plugins:
        for referrer, word, name in _references(plugin):
            if name not in tables[word]:
                hint = known(name, tables[word])
                return plugin, f"{referrer} names the {word} {name!r}, which no plugin brings; {hint}"
    return _first_duplicate(plugins)


def _first_duplicate(plugins: Sequence[Plugin]) -> tuple[Plugin, str] | None:
    taken: dict[tuple[str, str], Plugin] = {}
    for plugin in plugins:
        for word, name in _taken_by(plugin):
            first = taken.setdefault((word, name), plugin)
            if first is not plugin:
                return (
                    plugin,
                    f"the {word} {name!r} of {plugin.place} is taken: {first.place} brings one of that name",
                )
        names = list(_taken_by(plugin))
        for word, name in names:
            if names.count((word, name)) > 1:
                return plugin, f"{plugin.place} brings the {word} {name!r} twice"
    return None


def _taken_by(plugin: Plugin) -> Iterator[tuple[str, str]]:
    yield from plugin.offers()
    for reader in plugin.readers:
        yield from (("file ending", ending) for ending in reader.endings)
        yield from (("URL scheme", scheme) for scheme in reader.schemes)


def _references(plugin: Plugin) -> Iterator[tuple[str, str, str]]:
    """(who refers, the word for what it refers to, the name it gives)."""
    for connector in plugin.connectors:
        if connector.credential_type not in _WITHOUT_TYPE:
            yield f"connector {connector.name}", "credential type", connector.credential_type
    for endpoint in plugin.endpoint_templates:
        label = f"endpoint {endpoint.connector}/{endpoint.name}"
        yield label, "connector", endpoint.connector
        yield from ((label, "encoder", name) for name in endpoint.content_formats)
        if endpoint.follow is not None:
            yield f"follow of {label}", "endpoint", f"{endpoint.connector}/{endpoint.follow.endpoint}"
    for kind in plugin.credential_types:
        if kind.check:
            yield f"check of credential type {kind.name}", "endpoint", kind.check


def _names(plugins: Iterable[Plugin], word: str) -> list[str]:
    return sorted({name for plugin in plugins for kind, name in plugin.offers() if kind == word})
