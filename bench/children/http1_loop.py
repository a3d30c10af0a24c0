"""A bare loop over the transport `http1`: lines of a file into bodies, sent by so many at once; no checks, no ledger.

http1_loop.py PATH BATCH URL IN_FLIGHT
"""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

from bodies import bodies_of

from haulier.io.transports.choose import open_transport
from haulier.io.transports.protocol import NOTHING_ADDED
from haulier.model.request import Request
from haulier.runs.driving.loop import new_loop

_HEADERS = (("Content-Type", "application/json"),)


async def main(bodies: Iterator[bytes], url: str, in_flight: int) -> None:
    """Send all bodies; ends where an answer is not 200."""
    transport = open_transport("http1", in_flight=in_flight, timeout_s=30.0)

    async def worker() -> None:
        for number, body in enumerate(bodies):
            request = Request(
                number=number,
                positions=range(1),
                method="POST",
                url=url,
                headers=_HEADERS,
                body=body,
                length=len(body),
                sha256=b"",
            )
            response = await transport.send(request, NOTHING_ADDED)
            if response.status != 200:
                raise SystemExit(f"the server answered {response.status}")

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    await transport.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("batch", type=int)
    parser.add_argument("url")
    parser.add_argument("in_flight", type=int)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main(bodies_of(options.path, options.batch), options.url, options.in_flight))
    gc.freeze()
