"""What one plugin brings, as values: the plugins that stand, and those that do not, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from haulier.model.connector import Connector, EndpointTemplate
from haulier.model.parts import ContentEncoder, CredentialType, GroupingAlgorithm, OutputType, ReaderType

__all__ = ["OFFERED", "BrokenPlugin", "Installed", "Loaded", "Offer", "Plugin", "label_of", "word_of"]

Offer: TypeAlias = (
    Connector
    | CredentialType
    | EndpointTemplate
    | ContentEncoder
    | GroupingAlgorithm
    | ReaderType
    | OutputType
)

# Hook without its prefix (a field of `Plugin`, too) -> what the hook returns, and its word for people.
OFFERED: dict[str, tuple[type[Offer], str]] = {
    "connectors": (Connector, "connector"),
    "credential_types": (CredentialType, "credential type"),
    "endpoint_templates": (EndpointTemplate, "endpoint"),
    "content_encoders": (ContentEncoder, "encoder"),
    "grouping_algorithms": (GroupingAlgorithm, "grouping"),
    "readers": (ReaderType, "reader"),
    "outputs": (OutputType, "output"),
}


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a plugin comes from. name: of its entry point, or of its module where it was handed in."""

    name: str
    distribution: str
    version: str = ""

    @property
    def place(self) -> str:
        """How messages name it: `plugin acme of haulier-acme 1.2`."""
        return f"plugin {self.name} of {self.distribution} {self.version}".rstrip()


class Plugin(Installed, frozen=True, kw_only=True, eq=False):
    """A plugin that loaded, and what it brings. module: where its hooks are; empty where it is not known."""

    module: str = ""
    connectors: tuple[Connector, ...] = ()
    credential_types: tuple[CredentialType, ...] = ()
    endpoint_templates: tuple[EndpointTemplate, ...] = ()
    content_encoders: tuple[ContentEncoder, ...] = ()
    grouping_algorithms: tuple[GroupingAlgorithm, ...] = ()
    readers: tuple[ReaderType, ...] = ()
    outputs: tuple[OutputType, ...] = ()

    def offers(self) -> Iterator[tuple[str, str]]:
        """(word, name) of everything it brings: `("endpoint", "imagga/tag-image")`."""
        for field, (_, word) in OFFERED.items():
            for offer in getattr(self, field):
                yield word, label_of(offer)

    def brings(self, offer: Offer) -> bool:
        """Whether this very object is one of its offers."""
        return any(one is offer for field in OFFERED for one in getattr(self, field))


class BrokenPlugin(Installed, frozen=True, kw_only=True):
    """A plugin of which nothing is offered, and why. The others go on."""

    error: str


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What loading gave.

    plugins: the built-in ones first, then by name. left_out: names of the entry points that were not allowed.
    """

    plugins: tuple[Plugin, ...]
    broken: tuple[BrokenPlugin, ...] = ()
    left_out: tuple[str, ...] = ()


def word_of(offer: Offer) -> str:
    """What people call its kind."""
    return next(word for kind, word in OFFERED.values() if isinstance(offer, kind))


def label_of(offer: Offer) -> str:
    """The name under which an offer is looked up; an endpoint's begins with its connector's."""
    if isinstance(offer, EndpointTemplate):
        return f"{offer.connector}/{offer.name}"
    return offer.name
