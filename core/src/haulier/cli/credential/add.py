"""`haulier credential add`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from haulier.cli.asking import ask, interactive
from haulier.cli.options import base_url_option, json_option, pairs
from haulier.cli.printing import out, out_json, say
from haulier.errors import CredentialError
from haulier.model.wording import clause

if TYPE_CHECKING:
    from haulier.io.credentials import Credential, SecretRef
    from haulier.runs.credentials.storing import Form

__all__ = ["command"]


@click.command("add")
@click.argument("type", metavar="TYPE|CONNECTOR")
@click.option(
    "--name", metavar="NAME", help="What destinations call it; the type or connector when left out."
)
@click.option(
    "--origin",
    "origins",
    metavar="URL",
    multiple=True,
    help="The server it may be sent to, such as https://api.example.com, and no other; repeatable.",
)
@click.option(
    "--value",
    "values",
    metavar="FIELD=VALUE",
    multiple=True,
    callback=pairs,
    help="A value, or where it is: FIELD=env:NAME, FIELD=file:PATH. A value typed here stays in the shell's history.",
)
@click.option(
    "--from-env",
    is_flag=True,
    help="Refer to environment variables named TYPE_FIELD, such as IMAGGA_API_KEY.",
)
@click.option("--replace", is_flag=True, help="Replace a stored credential of that name.")
@click.option(
    "--check/--no-check",
    default=None,
    help="Ask the service whether it is good, once it is stored; unless told, it is asked where values were typed in "
    "at a prompt.",
)
@base_url_option
@json_option
def command(
    *,
    type: str,  # noqa: A002 - the word of the command line
    name: str | None,
    origins: tuple[str, ...],
    values: dict[str, str],
    from_env: bool,
    replace: bool,
    check: bool | None,
    base_url: str | None,
    as_json: bool,
) -> int:
    """Store a credential; what is missing is asked for, hidden.

    It is bound to its origins: a destination that leads elsewhere does not get it. No command shows its values again.
    """
    from haulier.runs.credentials.storing import credential_form, store_credential

    form = credential_form(type)
    known: dict[str, str | SecretRef] = {**(form.from_environment() if from_env else {}), **values}
    bound = list(origins)
    missing = [field.name for field in form.fields if field.required and field.name not in known]
    if check is None:
        check = interactive() and bool(missing) and bool(form.type.check)
    if interactive():
        _ask_for_missing(form, known, bound)
    elif missing and known.keys() <= {field.name for field in form.fields}:
        raise CredentialError(
            f"credential `{name or type}`: type {form.type.name} needs {', '.join(missing)}; give each with --value, "
            f"such as --value {missing[0]}=env:NAME, or all with --from-env"
        )
    stored = store_credential(form, name=name, values=known, origins=bound, replace=replace)
    if not as_json:
        out(f"stored credential {stored.name} of type {stored.type}, for {', '.join(stored.origins)} only")
    checked = _check(stored, base_url, as_json=as_json) if check else 0
    if as_json and not check:
        out_json({"name": stored.name, "type": stored.type, "origins": stored.origins})
    return checked


def _ask_for_missing(form: Form, known: dict[str, str | SecretRef], origins: list[str]) -> None:
    say(f"{form.type.title}: {form.type.description}") if form.fields else None
    for field in form.fields:
        if field.name in known:
            continue
        if field.required:
            known[field.name] = _literal(
                ask(f"{field.name} ({clause(field.description)})", secret=field.secret)
            )
        elif answer := ask(f"{field.name} ({clause(field.description)})", default=field.default):
            known[field.name] = _literal(answer)
    if form.needs_origin and not origins:
        origins.append(ask("origin (the server it may be sent to, such as https://api.example.com)"))


def _literal(text: str) -> SecretRef:
    """What is typed at a prompt is the value itself, whatever it looks like."""
    from haulier.io.credentials import SecretRef

    return SecretRef("literal", text)


def _check(stored: Credential, base_url: str | None, *, as_json: bool) -> int:
    from haulier.cli.credential.check import check_and_print

    return check_and_print(stored.name, base_url, as_json=as_json)
