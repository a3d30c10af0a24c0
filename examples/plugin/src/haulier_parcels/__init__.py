"""The hooks: what this plugin brings. Nothing here sends or opens anything."""

from __future__ import annotations

from haulier.authoring import (
    Connector,
    ContentEncoder,
    CredentialType,
    EndpointTemplate,
    GroupingAlgorithm,
    OutputType,
    ReaderType,
    hookimpl,
)
from haulier_parcels.connector import PARCELS
from haulier_parcels.credential import PARCELS_TOKEN
from haulier_parcels.encoder import JSON_LINES
from haulier_parcels.endpoints import ANNOUNCE_PARCELS, FETCH_PARCEL
from haulier_parcels.grouping import MANIFEST
from haulier_parcels.output import RECEIPTS
from haulier_parcels.reader import SLIPS

__all__ = [
    "haulier_connectors",
    "haulier_content_encoders",
    "haulier_credential_types",
    "haulier_endpoint_templates",
    "haulier_grouping_algorithms",
    "haulier_outputs",
    "haulier_readers",
]


@hookimpl
def haulier_connectors() -> list[Connector]:
    """The service."""
    return [PARCELS]


@hookimpl
def haulier_credential_types() -> list[CredentialType]:
    """How it is authenticated."""
    return [PARCELS_TOKEN]


@hookimpl
def haulier_endpoint_templates() -> list[EndpointTemplate]:
    """Its calls."""
    return [ANNOUNCE_PARCELS, FETCH_PARCEL]


@hookimpl
def haulier_grouping_algorithms() -> list[GroupingAlgorithm]:
    """A shape for batches."""
    return [MANIFEST]


@hookimpl
def haulier_content_encoders() -> list[ContentEncoder]:
    """A content format."""
    return [JSON_LINES]


@hookimpl
def haulier_readers() -> list[ReaderType]:
    """A format of input."""
    return [SLIPS]


@hookimpl
def haulier_outputs() -> list[OutputType]:
    """A consumer of responses."""
    return [RECEIPTS]
