"""Servers that hang up right behind an answer, without a word: each of their connections serves one request.

Else some requests would go out on connections that are about to end, and nobody could say whether they arrived.
"""

from __future__ import annotations

__all__ = ["Hangups"]

_SOON_S = 1.0  # a server that hangs up so soon behind an answer does so behind each
_USED_ONCE = 1000  # connections to such a server until another one is tried twice


class Hangups:
    """What one transport has learned of the servers it sends to, by `host:port`."""

    def __init__(self) -> None:
        self._used_once: dict[str, int] = {}  # host -> how many more connections are not used again

    def ended(self, host: str, idle_s: float = 0.0) -> None:
        """A server ended a connection so long behind an answer; 0.0: or instead of one to the next request."""
        if idle_s < _SOON_S:
            self._used_once[host] = _USED_ONCE

    def once(self, host: str) -> bool:
        """Whether a connection has served its one request; to be asked once behind each answer."""
        if not (left := self._used_once.get(host)):
            return False
        self._used_once[host] = left - 1
        return True
