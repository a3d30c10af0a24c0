"""`haulier imagga emulate`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from haulier_imagga.emulator import ImaggaEmulator, Server

__all__ = ["emulate"]


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free port."
)
@click.option("--key", help="API key that may sign in; a documented demo key when left out.")
@click.option("--secret", help="Its API secret.")
@click.option("--rate", type=float, help="Requests per second, more get 429; no limit when left out.")
@click.option("--in-flight", type=int, help="Requests at a time, more get 429; no limit when left out.")
@click.option("--retry-after", type=int, metavar="SECONDS", help="Sent with a 429; nothing when left out.")
@click.option(
    "--monthly-limit", type=int, default=1000, show_default=True, help="Analyses a month, more get 403."
)
@click.option(
    "--polls", type=int, default=2, show_default=True, help="Answers of a ticket before it is final."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="JSON|@FILE", help="Plan a fault, or a list; repeatable."
)
@click.option("--any-face-id", is_flag=True, help="Group faces that were never detected here, too.")
@click.option("--free-plan", is_flag=True, help="Answer 403 to what only paid plans cover.")
@click.option(
    "--unverified-inputs", is_flag=True, help="Take images where no source shows the service takes them."
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Holds the URL while the emulator answers; removed at the end.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the URL as a line of JSON.")
def emulate(*, port: int, ready_file: Path | None, as_json: bool, **settings: Any) -> None:
    """Stand in for the Imagga API on 127.0.0.1 until SIGINT or SIGTERM.

    Prints the URL as one line on standard output once it answers; what it is and does not know goes to
    standard error. It is steered from outside below /_emulator: faults, requests, clock, limits.
    """
    # Imported here, so that no other command needs the extra `emulator`; the error says how to get it.
    try:
        from haulier_imagga.emulator import EmulatorError, run_forever  # noqa: PLC0415 - see above
    except ImportError as error:
        raise click.UsageError(str(error)) from error
    try:
        emulator = _emulator(**settings)
        with ExitStack() as ending:

            def announce(server: Server) -> None:
                if ready_file is not None:  # before the URL: who reads that finds the file
                    _write_ready_file(ready_file, server, ending)
                click.echo(emulator.banner, err=True)
                _print_url(server, as_json=as_json)

            run_forever(emulator, port=port, on_ready=announce)
    except (EmulatorError, OSError) as error:
        raise click.UsageError(str(error)) from error


def _emulator(
    *,
    key: str | None,
    secret: str | None,
    rate: float | None,
    in_flight: int | None,
    retry_after: int | None,
    faults: tuple[str, ...],
    **settings: Any,
) -> ImaggaEmulator:
    from haulier_imagga.emulator import ImaggaEmulator, Limits, parse_faults  # noqa: PLC0415 - see emulate

    if (key is None) != (secret is None):
        raise click.UsageError("--key and --secret go together")
    if key is not None and secret is not None:
        _check_pair(key, secret)
    return ImaggaEmulator(
        credentials={key: secret} if key is not None and secret is not None else None,
        limits=Limits(requests_per_second=rate, max_in_flight=in_flight, retry_after_s=retry_after),
        faults=[fault for text in faults for fault in parse_faults(text)],
        **settings,
    )


def _check_pair(key: str, secret: str) -> None:
    """Refuse what no client could sign in with."""
    from pydantic import ValidationError  # noqa: PLC0415 - see emulate

    from haulier_imagga.credential import ImaggaKey  # noqa: PLC0415 - see emulate

    try:
        ImaggaKey.model_validate({"api_key": key, "api_secret": secret})
    except ValidationError as error:
        fault = error.errors()[0]
        option = str(fault["loc"][0]).replace("api_", "--")
        raise click.UsageError(f"{option}: {fault['msg'].removeprefix('Value error, ')}") from None


def _print_url(server: Server, *, as_json: bool) -> None:
    shape = {"version": 1, "url": server.url, "api_url": f"{server.url}/v2", "port": server.port}
    click.echo(json.dumps(shape) if as_json else server.url)


def _write_ready_file(path: Path, server: Server, ending: ExitStack) -> None:
    # Renamed into place, so that who waits for the file finds it complete.
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(f"{server.url}\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise click.UsageError(
            f"--ready-file: cannot write {path}: {error.strerror}; name a file in a folder that can be written"
        ) from error
    ending.callback(path.unlink, missing_ok=True)
