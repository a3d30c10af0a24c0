"""`haulier init`."""

from __future__ import annotations

from pathlib import Path

import click

from haulier.cli.options import json_option
from haulier.cli.printing import out, out_json

__all__ = ["command"]


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False))
@json_option
def command(*, folder: str, as_json: bool) -> None:
    """Make the current folder a project.

    Or FOLDER. Makes haulier.yaml, destinations/ and the private .haulier/; what is there already stays as it is.
    """
    from haulier.io.project import Project, shown

    project, made = Project.init(Path(folder).resolve())
    if as_json:
        out_json({"root": str(project.root), "made": [str(path) for path in made]})
        return
    for path in made:
        out(f"made {shown(path)}")
    if not made:
        out(f"{project.root} is a project already")
    out("next: haulier credential add CONNECTOR, then haulier destination new NAME")
