"""`haulier credential remove`."""

from __future__ import annotations

import click

from haulier.cli.options import json_option
from haulier.cli.printing import out, out_json

__all__ = ["command"]


@click.command("remove")
@click.argument("name")
@json_option
def command(*, name: str, as_json: bool) -> None:
    """Forget a credential."""
    from haulier.runs.credentials.storing import forget_credential

    forget_credential(name)
    if as_json:
        out_json({"removed": name})
    else:
        out(f"removed credential {name}")
