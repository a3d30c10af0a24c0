"""`haulier parcels ...`: an ordinary click group, imported only when one of its commands runs."""

from __future__ import annotations

import click

__all__ = ["parcels"]


@click.group()
def parcels() -> None:
    """Work with the made-up service Parcels."""


@parcels.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free port."
)
def emulate(*, port: int) -> None:
    """Stand in for the service on 127.0.0.1 until SIGINT or SIGTERM; prints the URL."""
    try:
        from haulier.testing.emulator import run_forever  # noqa: PLC0415 - needs the extra `emulator`
        from haulier_parcels.emulator import ParcelsEmulator  # noqa: PLC0415 - the same
    except ImportError as error:
        raise click.UsageError(str(error)) from error
    run_forever(ParcelsEmulator(), port=port, on_ready=lambda server: click.echo(server.url))
