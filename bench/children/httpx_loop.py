"""A bare loop over httpx: lines of a file into bodies, sent by so many at once; no checks, no memory of anything.

httpx_loop.py PATH BATCH URL IN_FLIGHT (lanes | client)

lanes: a connection of its own for each, as Haulier has them. client: one AsyncClient, as most programs have it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import httpx
from bodies import bodies_of

_HEADERS = {"Content-Type": "application/json"}


async def main(bodies: Iterator[bytes], url: str, in_flight: int, way: str) -> None:
    """Send all bodies; raises where an answer is not 200."""
    if way == "lanes":
        context = httpx.create_ssl_context()
        lane = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        lanes = [httpx.AsyncHTTPTransport(verify=context, limits=lane) for _ in range(in_flight)]
        await asyncio.gather(*(_lane(transport, bodies, url) for transport in lanes))
        return
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(limits=limits) as client:
        await asyncio.gather(*(_worker(client, bodies, url) for _ in range(in_flight)))


async def _lane(transport: httpx.AsyncHTTPTransport, bodies: Iterator[bytes], url: str) -> None:
    async with transport:
        for body in bodies:
            request = httpx.Request("POST", url, headers=_HEADERS, content=body)
            response = await transport.handle_async_request(request)
            await response.aread()
            if response.status_code != 200:
                raise SystemExit(f"the server answered {response.status_code}")


async def _worker(client: httpx.AsyncClient, bodies: Iterator[bytes], url: str) -> None:
    for body in bodies:
        response = await client.post(url, headers=_HEADERS, content=body)
        response.raise_for_status()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("batch", type=int)
    parser.add_argument("url")
    parser.add_argument("in_flight", type=int)
    parser.add_argument("way", choices=["lanes", "client"])
    options = parser.parse_args()
    asyncio.run(main(bodies_of(options.path, options.batch), options.url, options.in_flight, options.way))
    gc.freeze()
