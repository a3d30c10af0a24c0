"""A port on which nobody listens: for a server that is started later, by another process, or for none at all."""

from __future__ import annotations

import random
import socket

__all__ = ["free_port"]

# Beneath what any system hands to sockets that ask for no port (Linux from 32768, others from 49152): another test's
# server or connection takes no port from there before the one it is for, and nobody who connects to one is given that
# very port for his own end, and so meets himself.
_PORTS = range(12000, 20000)


def free_port() -> int:
    """A port of the loopback on which nothing listens now, and which nobody is given who asks for any."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
