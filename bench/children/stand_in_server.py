"""Counts requests on a port where there is no nginx: reads each body whole, answers JSON, notes its length on SIGQUIT.

stand_in_server.py PORT LOG
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

_ANSWER = b'{"status":"ok"}'
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


async def main(port: int, sizes: list[int]) -> None:
    """Serve until SIGQUIT, and note the size of each request."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /status"):
                    asked += 1
                    writer.write(b"accepts handled requests\n 0 0 %d" % (len(sizes) + asked))
                    break
                length = _length_of(head)
                await reader.readexactly(length)
                sizes.append(len(head) + length)
                writer.write(_HEAD % len(_ANSWER) + _ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, ended.set)
    await ended.wait()
    server.close()


def _length_of(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


if __name__ == "__main__":
    noted: list[int] = []
    asyncio.run(main(int(sys.argv[1]), noted))
    Path(sys.argv[2]).write_text("".join(f"{size}\n" for size in noted))
