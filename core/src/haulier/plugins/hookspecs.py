"""The hooks: how Haulier finds what a plugin brings.

Every hook is called once for each plugin whenever plugins are loaded, and never on the way of a record: behaviour
there is an object that a hook returned. A command or a call from Python may load them more than once, so a hook
gives the same each time. The built-in plugins come first, then the installed ones in the order of the names of
their entry points, then of their distributions: of two that want one name the later in that order is broken.
Each returns a list (any iterable will do). Returning an empty list or None means that the plugin brings nothing
of that kind; leaving the hook out means the same. Hooks take no arguments and do no I/O: what they return is
data, and objects that wait to be called.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from haulier.model.connector import Connector, EndpointTemplate
from haulier.model.parts import ContentEncoder, CredentialType, GroupingAlgorithm, OutputType, ReaderType

__all__ = [
    "PROJECT",
    "haulier_connectors",
    "haulier_content_encoders",
    "haulier_credential_types",
    "haulier_endpoint_templates",
    "haulier_grouping_algorithms",
    "haulier_outputs",
    "haulier_readers",
    "hookimpl",
    "hookspec",
]

PROJECT = "haulier"
hookspec = pluggy.HookspecMarker(PROJECT)
# What a plugin author writes above each hook.
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def haulier_connectors() -> Iterable[Connector] | None:
    """The services this plugin describes, each with its origin, credential type and default limits.

    Called by the loader. Returning nothing: no service of its own; it may still add to another's. A name that
    another plugin has taken makes the later of the two broken, by the names of their entry points; the message names
    both.

    Example::

        @hookimpl
        def haulier_connectors() -> list[Connector]:
            return [Connector(name="acme", title="Acme", description="Orders.",
            origin="https://api.acme.example")]
    """


@hookspec
def haulier_credential_types() -> Iterable[CredentialType] | None:
    """The ways of authenticating that this plugin brings.

    Called by the loader; a type's `apply` is then called at each attempt, after the body was made.
    Returning
    nothing: its connectors use the built-in types. Secret values are typed `SecretStr` in the settings model.

    Example::

        @hookimpl
        def haulier_credential_types() -> list[CredentialType]:
            return [CredentialType(name="acme", title="Acme", description="...", settings=Token, apply=sign)]
    """


@hookspec
def haulier_endpoint_templates() -> Iterable[EndpointTemplate] | None:
    """The calls this plugin describes, one template each.

    Called by the loader. A template names its connector, which may be another plugin's; where no plugin
    brings that connector, this plugin is broken. Returning nothing: its connectors are used by hand-made
    requests only.

    Example::

        @hookimpl
        def haulier_endpoint_templates() -> list[EndpointTemplate]:
            return [ADD_ORDER, CANCEL_ORDER]
    """


@hookspec
def haulier_content_encoders() -> Iterable[ContentEncoder] | None:
    """The content formats this plugin brings.

    Called by the loader; an encoder's `encode` is then called once a request. It is pure: the same
    payload gives the same bytes. Returning nothing: the formats there are will do.

    Example::

        @hookimpl
        def haulier_content_encoders() -> list[ContentEncoder]:
            return [XML]  # a ContentEncoder
    """


@hookspec
def haulier_grouping_algorithms() -> Iterable[GroupingAlgorithm] | None:
    """The shapes in which records can share a request.

    Called by the loader; the factory once a plan, with checked settings; what it returns builds one
    payload per batch. Returning nothing: the shapes there are will do.

    Example::

        @hookimpl
        def haulier_grouping_algorithms() -> list[GroupingAlgorithm]:
            return [GroupingAlgorithm(name="pairs", title="Pairs", description="...", factory=Pairs)]
    """


@hookspec
def haulier_readers() -> Iterable[ReaderType] | None:
    """The record readers this plugin brings, by file ending or URL scheme.

    Called by the loader; the factory once an input. An ending or scheme that another plugin has taken
    makes the later of the two broken, by the names of their entry points. Returning nothing: the readers there are
    will do.

    Example::

        @hookimpl
        def haulier_readers() -> list[ReaderType]:
            return [TSV]  # a ReaderType
    """


@hookspec
def haulier_outputs() -> Iterable[OutputType] | None:
    """The durable consumers of responses that this plugin brings.

    Called by the loader; the factory once a run for each output that a destination names. Returning
    nothing: the outputs there are will do.

    Example::

        @hookimpl
        def haulier_outputs() -> list[OutputType]:
            return [SHEET]  # an OutputType
    """
