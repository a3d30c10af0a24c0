"""What ships with core, offered through the same hooks as a stranger's plugin; and the registry of all there is."""

from __future__ import annotations

import os

from haulier.io.credentials.types import credential_types
from haulier.io.outputs.csv import CSV
from haulier.io.outputs.jsonl import JSONL
from haulier.io.outputs.webhook import WEBHOOK
from haulier.io.readers import reader_types
from haulier.model.parts import ContentEncoder, CredentialType, OutputType, ReaderType
from haulier.pipeline.encoding.formats import encoders
from haulier.plugins import http
from haulier.plugins.hookspecs import hookimpl
from haulier.plugins.loading import load
from haulier.plugins.registry import Registry

__all__ = ["Builtins", "load_registry"]


class Builtins:
    """The plugin that core brings."""

    @hookimpl
    def haulier_credential_types(self) -> tuple[CredentialType, ...]:
        """How most services are signed into."""
        return credential_types()

    @hookimpl
    def haulier_content_encoders(self) -> tuple[ContentEncoder, ...]:
        """The content formats."""
        return encoders()

    @hookimpl
    def haulier_readers(self) -> tuple[ReaderType, ...]:
        """The formats of input."""
        return reader_types()

    @hookimpl
    def haulier_outputs(self) -> tuple[OutputType, ...]:
        """jsonl, csv and webhook."""
        return (JSONL, CSV, WEBHOOK)


def load_registry() -> Registry:
    """What is installed, loaded anew; `HAULIER_PLUGINS=a,b` in the environment allows only those plugins."""
    return Registry.of(load([Builtins(), http], allowed=os.environ.get("HAULIER_PLUGINS")))
