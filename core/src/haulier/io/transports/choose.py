"""Which transport serves a destination. The clients behind them are imported only when one is opened."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from haulier.errors import ConfigurationError

if TYPE_CHECKING:
    from ssl import SSLContext

    from haulier.io.transports.protocol import Transport

__all__ = ["open_transport", "transport_name"]


def transport_name(wanted: str) -> Literal["http1", "httpx"]:
    """Who will send, where `auto`, `http1` or `httpx` is wanted; ConfigurationError where it is not installed."""
    if wanted == "httpx":
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
    if transport_name(name) == "http1":
        from haulier.io.transports.http1 import Http1  # noqa: PLC0415 - an extra

        return Http1(lanes=in_flight, timeout_s=timeout_s, verify=verify, origin=origin)
    # httpx costs 100 ms that `import haulier` need not pay.
    from haulier.io.transports.httpx_lanes import HttpxLanes  # noqa: PLC0415

    return HttpxLanes(lanes=in_flight, timeout_s=timeout_s, verify=verify)
