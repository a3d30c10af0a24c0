"""Which transport serves a destination. The clients behind them are imported only when one is opened."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from haulier.errors import ConfigurationError
from haulier.io.transports.proxies import proxy_of

if TYPE_CHECKING:
    from ssl import SSLContext

    from haulier.io.transports.protocol import Transport

__all__ = ["open_transport", "transport_name"]


def transport_name(wanted: str, origin: str = "") -> Literal["http1", "httpx"]:
    """Who will send to an origin, where `auto`, `http1` or `httpx` is wanted.

    Raises ConfigurationError where it is not installed, or where the environment names a proxy that is none for us.
    """
    proxied = wanted != "http1" and bool(origin) and proxy_of(origin) is not None
    if wanted == "httpx" or proxied:
        return "httpx"
    if find_spec("httptools") is not None:
        return "http1"
    if wanted == "http1":
        raise ConfigurationError(
            "transport: http1 needs httptools, which is not installed: pip install 'haulier[fast]', "
            "or write `transport: auto`"
        )
    return "httpx"


def open_transport(
    name: str, *, in_flight: int, timeout_s: float, origin: str = "", verify: SSLContext | None = None
) -> Transport:
    """A transport for up to `in_flight` requests at once; name: `auto`, `http1` or `httpx`.

    origin: where the first request will go, if it is known. Raises ConfigurationError as `transport_name` does.
    """
    if transport_name(name, origin) == "http1":
        from haulier.io.transports.http1 import Http1  # noqa: PLC0415 - an extra

        return Http1(lanes=in_flight, timeout_s=timeout_s, verify=verify, origin=origin)
    # httpx costs 100 ms that `import haulier` need not pay.
    from haulier.io.transports.httpx_lanes import HttpxLanes  # noqa: PLC0415

    return HttpxLanes(lanes=in_flight, timeout_s=timeout_s, verify=verify)
