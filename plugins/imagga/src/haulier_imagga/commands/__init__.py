"""The plugin's commands, `haulier imagga ...`. Loads nothing but click until a command runs."""

from __future__ import annotations

import click

from haulier_imagga.commands.cleanup import cleanup
from haulier_imagga.commands.emulate import emulate

__all__ = ["imagga"]


@click.group()
def imagga() -> None:
    """Work with the Imagga image analysis API."""


imagga.add_command(cleanup)
imagga.add_command(emulate)
