"""Credentials whose token is asked for first: acquired once for all requests of a run, and once more after a 401."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from hashlib import sha256

from haulier.errors import CredentialError, PluginError, TransportError
from haulier.io.credentials import check_binding
from haulier.io.transports.choose import open_transport
from haulier.io.transports.protocol import NOTHING_ADDED, Transport
from haulier.model.parts import Token, TokenRequest
from haulier.model.request import Added, Request, Response
from haulier.runs.credentials.authority import Authority, asking_for_token

__all__ = ["with_tokens"]

_MOST_QUESTIONS = 10
_LATER = frozenset({408, 425, 429, *range(500, 600)}) - {501}
_FOREVER_S = 1e9
_MARGIN_S = 30.0  # a token is renewed so long before it expires, or a tenth of its time where that is less


def with_tokens(transport: Transport, authority: Authority, *, timeout_s: float) -> Transport:
    """The transport, with tokens where the credential acquires them."""
    return _Acquiring(transport, authority, timeout_s) if authority.acquires else transport


class _Acquiring:
    """Sends with a token that is acquired when it is needed, by one request for all.

    A 401 has it acquired once more, and the request sent again as one of which nothing was taken. Where the new token
    is not accepted either, the 401 is handed on.
    """

    def __init__(self, transport: Transport, authority: Authority, timeout_s: float) -> None:
        self._transport = transport
        self._authority = authority
        self._authorize = authority.authorize()
        self._timeout_s = timeout_s
        self._lock = asyncio.Lock()

    async def send(self, request: Request, added: Added) -> Response:
        """One exchange; what the credential adds is found here, as it may have to be acquired."""
        wallet = self._authority.wallet
        if time.monotonic() >= wallet.renew_at:
            async with self._lock:
                if time.monotonic() >= wallet.renew_at:
                    await self._acquire()
        token = wallet.token
        response = await self._transport.send(request, self._authorize(request))
        if response.status != 401:
            wallet.proven = wallet.proven or wallet.token is token
            return response
        async with self._lock:
            if wallet.token is token:
                if not wallet.proven:
                    return response
                await self._acquire()
                wallet.proven = False
        raise TransportError(
            "the service did not accept the token (401); another one was acquired", sent="no", renewed=True
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def _acquire(self) -> None:
        """Have a new token; TransportError where the service cannot answer now.

        What refuses one ends the run: those who waited for it meanwhile do not ask again.
        """
        wallet = self._authority.wallet
        if wallet.refused is not None:
            raise wallet.refused
        try:
            await self._asked_for()
        except (CredentialError, PluginError) as error:
            wallet.refused = error
            raise

    async def _asked_for(self) -> None:
        """Have the credential type ask for a token, in as many questions as it takes."""
        kind, credential = self._authority.type, self._authority.credential
        assert kind is not None
        assert credential is not None
        guard, now = self._authority.guard, time.time()
        asking = asking_for_token(kind, credential, guard, now)
        answer: Response | None = None
        for _ in range(_MOST_QUESTIONS):
            try:
                question = next(asking) if answer is None else asking.send(answer)
            except StopIteration as ended:
                self._keep(ended.value, now)
                return
            except CredentialError as error:
                raise CredentialError(f"credential `{credential.name}`: {error}") from None
            check_binding(credential, question.url)
            answer = await self._ask(question)
        raise guard.fault(f"asked {_MOST_QUESTIONS} times and returned no token")

    def _keep(self, token: Token, now: float) -> None:
        lasts_s = _FOREVER_S if token.expires_at is None else max(0.0, token.expires_at - now)
        self._authority.wallet.keep(token, time.monotonic() + lasts_s - min(_MARGIN_S, lasts_s / 10))

    async def _ask(self, question: TokenRequest) -> Response:
        request = Request(
            number=0,
            positions=range(0),
            method=question.method,
            url=question.url,
            headers=question.headers,
            body=question.body,
            length=len(question.body),
            sha256=sha256(question.body).digest(),
        )
        origin = "/".join(question.url.split("/", 3)[:3])
        transport = open_transport("auto", in_flight=1, timeout_s=self._timeout_s, origin=origin)
        try:
            answer = await transport.send(request, NOTHING_ADDED)
        except TransportError as error:
            raise TransportError(f"no token: {error}", sent="no") from error
        finally:
            with suppress(OSError):
                await transport.close()
        if answer.status in _LATER:
            raise TransportError(f"no token: {origin} answered {answer.status}", sent="no")
        return answer
