"""The generic connector `http`: any HTTP API, by requests made by hand."""

from __future__ import annotations

from haulier.model.connector import Connector
from haulier.plugins.hookspecs import hookimpl

__all__ = ["HTTP", "haulier_connectors"]

HTTP = Connector(
    name="http",
    title="Any HTTP API",
    description=(
        "Carries records to whatever address a destination names in `request`, with a credential of any "
        "type. It has no endpoint templates: method, URL, content format and headers are written there."
    ),
    origin="",
    credential_type="",
)


@hookimpl
def haulier_connectors() -> list[Connector]:
    """The one connector that belongs to no service."""
    return [HTTP]
