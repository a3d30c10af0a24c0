"""`haulier credential check`."""

from __future__ import annotations

import click

from haulier.cli.options import base_url_option, json_option
from haulier.cli.printing import facts, out, out_json

__all__ = ["check_and_print", "command"]

_GOOD, _REFUSED, _NO_ANSWER = 0, 2, 3


@click.command("check")
@click.argument("name")
@base_url_option
@json_option
def command(*, name: str, base_url: str | None, as_json: bool) -> int:
    """Ask the service whether a credential is good.

    By the harmless call that its type names. Ends with 0 good, 2 refused, 3 no answer.
    """
    return check_and_print(name, base_url, as_json=as_json)


def check_and_print(name: str, base_url: str | None, *, as_json: bool) -> int:
    """Check a stored credential and print what came of it; the exit code."""
    from haulier.cli.showing import answer_lines
    from haulier.cli.test import answer_values
    from haulier.runs.destinations.trying import check_credential

    answer = check_credential(name, base_url=base_url)
    good = answer.verdict == "delivered"
    if as_json:
        out_json({"name": name, "good": good, "account": dict(answer.account), **answer_values(answer)})
    elif good:
        out(f"credential {name} is good: {answer.sample.method} {answer.sample.url} answered {answer.status}")
        for line in facts([*answer.account]):
            out(f"  {line}")
    else:
        out(f"credential {name} did not pass: {answer.sample.method} {answer.sample.url}")
        for line in answer_lines(answer):
            out(line)
    if good:
        return _GOOD
    return _NO_ANSWER if answer.status is None or answer.verdict == "retry" else _REFUSED
