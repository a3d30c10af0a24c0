"""Which transport serves a destination. The clients behind them are imported only when one is opened."""

from __future__ import annotations

from ssl import SSLContext

from haulier.io.transports.protocol import Transport

__all__ = ["open_transport"]


def open_transport(
    name: str, *, in_flight: int, timeout_s: float, verify: SSLContext | None = None
) -> Transport:
    """A transport for up to `in_flight` requests at once; name: `auto` or `httpx`."""
    # httpx costs 100 ms that `import haulier` need not pay.
    from haulier.io.transports.httpx_lanes import HttpxLanes  # noqa: PLC0415

    return HttpxLanes(lanes=in_flight, timeout_s=timeout_s, verify=verify)
