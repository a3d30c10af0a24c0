"""`haulier destination check`."""

from __future__ import annotations

import click

from haulier.cli.options import (
    base_url_option,
    json_option,
    param_option,
    trust_code_option,
)
from haulier.cli.printing import out, out_json

__all__ = ["command"]

_PROBLEMS = 2


@click.command("check")
@click.argument("destinations", nargs=-1, metavar="[DEST]...")
@param_option
@trust_code_option
@base_url_option
@json_option
def command(
    *, destinations: tuple[str, ...], params: dict[str, str], base_url: str | None, as_json: bool
) -> int:
    """Check destinations against what is installed and stored.

    All of the project where none is named. Sends nothing. Ends with 2 where a run would not begin.
    """
    from haulier.runs.destinations.listing import check_destinations

    found = check_destinations(destinations, base_url=base_url, params=params)
    if as_json:
        names = ("destination", "problems", "warnings", "ok")
        out_json({"checked": [{name: getattr(one, name) for name in names} for one in found]})
    for one in () if as_json else found:
        out(f"{one.destination}: {'ok' if one.ok else 'does not hold'}")
        for problem in one.problems:
            out(f"  problem: {problem}")
        for warning in one.warnings:
            out(f"  warning: {warning}")
    if not found and not as_json:
        out("no destinations yet; make one with: haulier destination new NAME")
    return 0 if all(one.ok for one in found) else _PROBLEMS
