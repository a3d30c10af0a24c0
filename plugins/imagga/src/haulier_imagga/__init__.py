"""The Imagga API, described for Haulier: where it is, how it is authenticated, its calls and what it answers.

The hooks stand here; what they return is data, one short file per call in `endpoints`. Nothing here sends
anything.
"""

from __future__ import annotations

from haulier.authoring import Connector, CredentialType, EndpointTemplate, hookimpl
from haulier_imagga.connector import IMAGGA
from haulier_imagga.credential import IMAGGA_KEY
from haulier_imagga.endpoints import TEMPLATES

__all__ = [
    "IMAGGA",
    "IMAGGA_KEY",
    "TEMPLATES",
    "haulier_connectors",
    "haulier_credential_types",
    "haulier_endpoint_templates",
]


@hookimpl
def haulier_connectors() -> list[Connector]:
    """The connector `imagga`."""
    return [IMAGGA]


@hookimpl
def haulier_credential_types() -> list[CredentialType]:
    """The credential type `imagga`: an API key and its secret."""
    return [IMAGGA_KEY]


@hookimpl
def haulier_endpoint_templates() -> list[EndpointTemplate]:
    """The calls of version 2 of the API that records are most often carried to."""
    return list(TEMPLATES)
