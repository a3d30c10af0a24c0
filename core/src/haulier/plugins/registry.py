"""The registry: everything that stands after loading, frozen, looked up by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from haulier.errors import ConfigurationError
from haulier.model.closest import closest
from haulier.model.connector import Connector, EndpointTemplate
from haulier.model.parts import ContentEncoder, CredentialType, GroupingAlgorithm, OutputType, ReaderType
from haulier.model.wording import clause
from haulier.plugins.hookspecs import PROJECT
from haulier.plugins.offers import BrokenPlugin, Loaded, Offer, Plugin, label_of, word_of
from haulier.plugins.wording import known

__all__ = ["Registry"]

_T = TypeVar("_T")
# The one distribution that core sends people to: it holds the groupings that a destination takes by default.
_GROUPINGS_FROM = "haulier-batching"


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, by name; endpoints by (connector, name).

    Every lookup raises ConfigurationError for a name that is not there: the message lists the known names, a
    close match, what failed to load, or that a plugin is to be installed.

    plugins and broken: in the order of loading. left_out: plugins that HAULIER_PLUGINS does not allow.
    """

    connectors: Mapping[str, Connector]
    endpoints: Mapping[tuple[str, str], EndpointTemplate]
    credential_types: Mapping[str, CredentialType]
    encoders: Mapping[str, ContentEncoder]
    groupings: Mapping[str, GroupingAlgorithm]
    readers: Mapping[str, ReaderType]
    outputs: Mapping[str, OutputType]
    plugins: tuple[Plugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, loaded: Loaded) -> Registry:
        """The registry of what was loaded; names are unique there already."""
        plugins = loaded.plugins
        return cls(
            connectors=_table((one.name, one) for plugin in plugins for one in plugin.connectors),
            endpoints=_table(
                ((one.connector, one.name), one) for plugin in plugins for one in plugin.endpoint_templates
            ),
            credential_types=_table((one.name, one) for plugin in plugins for one in plugin.credential_types),
            encoders=_table((one.name, one) for plugin in plugins for one in plugin.content_encoders),
            groupings=_table((one.name, one) for plugin in plugins for one in plugin.grouping_algorithms),
            readers=_table((one.name, one) for plugin in plugins for one in plugin.readers),
            outputs=_table((one.name, one) for plugin in plugins for one in plugin.outputs),
            plugins=plugins,
            broken=loaded.broken,
            left_out=loaded.left_out,
        )

    def connector(self, name: str) -> Connector:
        """The connector of that name."""
        return self._find("connector", name, self.connectors)

    def endpoint(self, connector: str, name: str) -> EndpointTemplate:
        """The endpoint template of that name; the connector is looked up first."""
        there = {template.name: template for template in self.endpoints_of(connector)}
        return self._find(f"endpoint of {connector}", name, there, hint="")

    def endpoints_of(self, connector: str) -> tuple[EndpointTemplate, ...]:
        """All endpoint templates of a connector, by name, whoever brought them."""
        self.connector(connector)
        return tuple(self.endpoints[key] for key in sorted(self.endpoints) if key[0] == connector)

    def credential_type(self, name: str) -> CredentialType:
        """The credential type of that name."""
        return self._find("credential type", name, self.credential_types)

    def encoder(self, name: str) -> ContentEncoder:
        """The encoder of the content format of that name."""
        return self._find("content format", name, self.encoders)

    def grouping(self, name: str) -> GroupingAlgorithm:
        """The grouping algorithm of that name; where groupings come from is said if the plugin is missing."""
        installed = {one.distribution for one in self.plugins} | {one.distribution for one in self.broken}
        missing = _GROUPINGS_FROM not in installed and not self.left_out
        hint = f"groupings come with a plugin: pip install {_GROUPINGS_FROM}" if missing else None
        return self._find("grouping algorithm", name, self.groupings, hint)

    def plugin_of(self, offer: Offer) -> Plugin | None:
        """The plugin that brings this very offer; None where none of the loaded ones does."""
        return next((one for one in self.plugins if one.brings(offer)), None)

    def named(self, offer: Offer) -> str:
        """How messages name what a plugin brings: `grouping odd (plugin acme of haulier-acme 1.2)`."""
        plugin = self.plugin_of(offer)
        return f"{word_of(offer)} {label_of(offer)}{f' ({plugin.place})' if plugin is not None else ''}"

    def is_own(self, offer: Offer) -> bool:
        """Whether core itself brings it."""
        plugin = self.plugin_of(offer)
        return plugin is not None and plugin.distribution == PROJECT

    def output(self, name: str) -> OutputType:
        """The output type of that name."""
        return self._find("output", name, self.outputs)

    def _find(self, word: str, name: str, table: Mapping[str, _T], hint: str | None = None) -> _T:
        """hint: where it could come from; None: from a plugin, unless something else is likelier."""
        found = table.get(name)
        if found is not None:
            return found
        told = [f"unknown {word} {name!r}; {known(name, table)}"]
        if hint is None:
            likelier = self.left_out or self.broken or closest(name, table)
            hint = "" if likelier else "install the plugin that brings it"
        if hint:
            told.append(hint)
        if self.left_out:
            told.append(f"HAULIER_PLUGINS leaves out: {', '.join(self.left_out)}")
        told += (
            f"{broken.place} failed to load: {clause(broken.error)}; see: haulier plugins"
            for broken in self.broken
        )
        raise ConfigurationError(". ".join(told))


_K = TypeVar("_K")


def _table(pairs: Iterable[tuple[_K, _T]]) -> Mapping[_K, _T]:
    return MappingProxyType(dict(pairs))
