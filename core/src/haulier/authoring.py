"""The plugin authors' door: everything a plugin imports of Haulier, and nothing that reaches the outside.

A whole plugin, in a module that the distribution names as entry point of the group `haulier`::

    from datetime import date

    from haulier.authoring import Connector, EndpointTemplate, Following, Parameter, hookimpl

    ACME = Connector(name="acme", title="Acme", description="Orders.", origin="https://api.acme.example")
    CANCEL_ORDER = EndpointTemplate(
        connector="acme", name="cancel-order", title="Cancel an order", description="Cancels one order.",
        method="DELETE", path="/v1/orders/{order}",
        parameters=(
            Parameter(
                name="order", place="path", description="Its number.", required=True, example="{record.order}"
            ),
        ),
        irreversible="A cancelled order cannot be taken up again.",
        verified=True, source="https://acme.example/docs", read_on=date(2026, 11, 22),
    )

    @hookimpl
    def haulier_connectors():
        return [ACME]

    @hookimpl
    def haulier_endpoint_templates():
        return [CANCEL_ORDER]

with `[project.entry-points.haulier]` and `acme = "haulier_acme"` in its pyproject.toml.
`haulier.testing.conformance.check_plugin` tells what is missing. Hooks: `haulier.plugins.hookspecs`.
"""

from __future__ import annotations

from haulier.errors import (
    ConfigurationError,
    CredentialError,
    InputError,
    OutputBusy,
    PluginError,
    RecordError,
    TransportError,
)
from haulier.model.block import Block, RejectedRecord
from haulier.model.connector import Connector, EndpointTemplate, Following, Parameter
from haulier.model.delivery import ACCEPTED, DELIVERED, Judge, Outcomes, Stop, Verdict
from haulier.model.expression import first_expression
from haulier.model.json_value import as_text, decoded
from haulier.model.media_type import MediaType, TextMediaType
from haulier.model.parts import (
    Account,
    Added,
    ContentEncoder,
    CredentialType,
    Doors,
    Grouping,
    GroupingAlgorithm,
    NoSettings,
    Output,
    OutputType,
    Payload,
    Portion,
    Program,
    Quota,
    Reader,
    ReaderType,
    Settings,
    Token,
    TokenRequest,
    Work,
)
from haulier.model.pointer import look_up, pick
from haulier.model.request import Body, FilePart, Header, Request, Response
from haulier.model.written_number import WrittenJson, as_written, number_of
from haulier.plugins.hookspecs import hookimpl

__all__ = [
    "ACCEPTED",
    "DELIVERED",
    "Account",
    "Added",
    "Block",
    "Body",
    "ConfigurationError",
    "Connector",
    "ContentEncoder",
    "CredentialError",
    "CredentialType",
    "Doors",
    "EndpointTemplate",
    "FilePart",
    "Following",
    "Grouping",
    "GroupingAlgorithm",
    "Header",
    "InputError",
    "Judge",
    "MediaType",
    "NoSettings",
    "Outcomes",
    "Output",
    "OutputBusy",
    "OutputType",
    "Parameter",
    "Payload",
    "PluginError",
    "Portion",
    "Program",
    "Quota",
    "Reader",
    "ReaderType",
    "RecordError",
    "RejectedRecord",
    "Request",
    "Response",
    "Settings",
    "Stop",
    "TextMediaType",
    "Token",
    "TokenRequest",
    "TransportError",
    "Verdict",
    "Work",
    "WrittenJson",
    "as_text",
    "as_written",
    "decoded",
    "first_expression",
    "hookimpl",
    "look_up",
    "number_of",
    "pick",
]
