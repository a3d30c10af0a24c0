"""`haulier dead-letters show`."""

from __future__ import annotations

import click

from haulier.cli.options import WholeNumber, json_option, state_option
from haulier.cli.printing import facts, out, out_json
from haulier.errors import ConfigurationError

__all__ = ["command"]


@click.command("show")
@click.argument("of", metavar="DEST|RUN")
@click.argument("position", type=WholeNumber(min=0))
@click.option("--stage", metavar="NAME", help="Of a chain: the stage that rejected it.")
@state_option
@json_option
def command(*, of: str, position: int, stage: str | None, state: str | None, as_json: bool) -> None:
    """Show one of them: its text, and why.

    POSITION as `dead-letters list` has it, in the newest run that has a dead letter there.
    """
    from haulier.cli.showing import body_lines
    from haulier.model.json_value import as_text
    from haulier.runs.reports.history import dead_letters

    if stage is not None:
        _check_stage(stage, of, state)
    letters = (one for one in dead_letters(of, state=state) if stage is None or one.stage == stage)
    found = next((one for one in letters if one.position == position), None)
    if found is None:
        raise ConfigurationError(
            f"no dead letter at position {position} of {of}; see: haulier dead-letters list {of}"
        )
    if as_json:
        out_json(found.to_dict())
        return
    request = "never became one" if found.number is None else found.number
    for line in facts(
        [
            ("record", f"position {found.position} of run {found.run_id} to {found.destination}"),
            *([("stage", found.stage)] if found.stage else []),
            *([("key", as_text(found.key))] if found.key is not None else []),
            ("state", found.state.replace("_", " ")),
            *([("replayed", f"by run {found.replayed}")] if found.replayed else []),
            ("reason", found.reason),
            ("request", request),
        ]
    ):
        out(line)
    out()
    for line in (
        body_lines(found.text, full=True)
        if found.text
        else ["(its text is not kept; it stands in the input)"]
    ):
        out(line)


def _check_stage(stage: str, of: str, state: str | None) -> None:
    """ConfigurationError for a stage that the run does not have."""
    from haulier.runs.reports.history import told_of

    names = [one.name for one in told_of(of, state=state).report.stages]
    if stage not in names:
        has = f"its stages are {', '.join(names)}" if names else "it is no chain; leave out --stage"
        raise ConfigurationError(f"{of} has no stage {stage!r}: {has}")
