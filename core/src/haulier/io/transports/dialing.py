"""New connections: the addresses of a name, TCP, TLS, and the words for what fails before the first byte is sent."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from haulier.errors import TransportError
from haulier.io.transports.tls import tls_context

__all__ = ["HINT", "Dialer", "readable", "told"]

HINT = "(`timeout_s` says how long to wait)"
_FIRST_ADDRESS_S = 2.0  # for each of several addresses but the last, which has the rest of the time


class Dialer:
    """Connects within `timeout_s`, name, TCP and TLS together. closing_s: how long TLS may take to say goodbye.

    verify: an SSLContext, or None for the usual authorities. choose: which of the addresses of a name, asked at a port,
    may be connected to; what it raises is raised from `dial`. The connection goes to the very address it let through.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        closing_s: float,
        verify: ssl.SSLContext | None,
        choose: Callable[[str, int, Sequence[str]], Sequence[str]] | None = None,
    ) -> None:
        self._timeout_s, self._closing_s = timeout_s, closing_s
        self._verify = verify
        self._choose = choose
        self._context: ssl.SSLContext | None = None
        self._good: dict[str, str] = {}  # host -> the one of its addresses that answered last

    def context(self) -> ssl.SSLContext:
        """The TLS context of all connections, made when first asked for."""
        if self._context is None:
            self._context = tls_context(self._verify)
        return self._context

    async def dial(self, scheme: str, host: str, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Connect a protocol to `host`, with its port where it has one; TransportError with sent "no" else."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._dial(scheme, host, protocol)
                return
        except TimeoutError:
            words = f"no connection in time {HINT}"
        except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be asked for
            words = told(error)
        self._good.pop(host, None)
        raise TransportError(f"{host}: {words}", sent="no")

    async def _dial(self, scheme: str, host: str, protocol: Callable[[], asyncio.Protocol]) -> None:
        """To the address that answered last, else to each that the name has, one after the other."""
        parts = urlsplit(f"{scheme}://{host}")
        name, port = parts.hostname or "", parts.port or (443 if scheme == "https" else 80)
        tls = name if scheme == "https" else None
        if (good := self._good.get(host)) is not None:
            await self._connect(good, port, tls, protocol)
            return
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses: Sequence[str] = list(dict.fromkeys(str(one[4][0]) for one in found))
        if self._choose is not None:
            addresses = self._choose(name, port, addresses)
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(_FIRST_ADDRESS_S):
                    await self._connect(address, port, tls, protocol)
            except ssl.CertificateError:
                raise
            except OSError:  # a TimeoutError is one
                continue
            self._good[host] = address
            return
        await self._connect(addresses[-1], port, tls, protocol)
        self._good[host] = addresses[-1]

    async def _connect(
        self, address: str, port: int, tls: str | None, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        await asyncio.get_running_loop().create_connection(
            protocol,
            address,
            port,
            ssl=self.context() if tls else None,
            server_hostname=tls,
            ssl_handshake_timeout=self._timeout_s if tls else None,
            ssl_shutdown_timeout=self._closing_s if tls else None,
        )


def readable(descriptor: int) -> Callable[[], bool]:
    """What tells whether a socket has bytes to read, or has ended, without waiting."""
    if not hasattr(select, "poll"):  # Windows
        return lambda: bool(select.select([descriptor], (), (), 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return lambda: bool(poll.poll(0))


def told(error: Exception) -> str:
    """What the system or OpenSSL says, in its words; some leave their message empty."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror) and error.errno:
        return os.strerror(error.errno).lower()
    if isinstance(error, socket.gaierror):
        return str(error.strerror).lower()
    return str(error) or type(error).__name__
