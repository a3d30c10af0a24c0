"""The app an emulator is: a service's routes, and around them authentication, limits, faults and the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from haulier.testing.emulator.answer import Answer
from haulier.testing.emulator.auth import BasicAuth
from haulier.testing.emulator.clock import Clock
from haulier.testing.emulator.control import PREFIX, control_app
from haulier.testing.emulator.exchange import (
    PASSING,
    BodyTooLargeError,
    ClientLeftError,
    Exchange,
    answer_of,
    outcome_of,
)
from haulier.testing.emulator.faults import Fault, FaultPlan
from haulier.testing.emulator.limits import Limits
from haulier.testing.emulator.log import LoggedRequest, RequestLog

logger = logging.getLogger("haulier.testing.emulator")

Refuse = Callable[[int, str], Response]


def refuse_json(status: int, text: str) -> Response:
    """The refusal of a service that says nothing special: `{"error": text}`."""
    return JSONResponse({"error": text}, status)


class Emulator:
    """An ASGI app that stands in for a service; run it with `serve` or `run_forever`.

    `routes` are Starlette routes; their code may raise `HTTPException(status, text)`, which is answered as
    `refuse(status, text)`, as are unknown paths (404), wrong methods (405) and everything the kit itself
    refuses: 401 by `auth`, 429 by `limits`, 413 above `max_body_bytes`. The user who signed in is
    `request.scope["user"]`. A request that carries `signed_in_headers` gets them on every answer of the
    service, refusals included. `notice` says in a few lines what the emulator is and does not know; it stands
    on the banner and below `/_emulator`.
    """

    def __init__(
        self,
        name: str,
        routes: Sequence[BaseRoute],
        *,
        notice: Iterable[str] = (),
        auth: BasicAuth | None = None,
        refuse: Refuse = refuse_json,
        signed_in_headers: Callable[[str], Mapping[str, str]] | None = None,
        clock: Clock | None = None,
        limits: Limits | None = None,
        faults: Iterable[Fault] = (),
        log: RequestLog | None = None,
        max_body_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.name = name
        self.notice = tuple(notice)
        self.auth = auth
        self.refuse = refuse
        self.clock = clock or Clock()
        self.limits = limits or Limits()
        self.faults = FaultPlan(faults)
        self.log = log or RequestLog()
        self.max_body_bytes = max_body_bytes
        self.in_flight = 0
        self.peak_in_flight = 0
        self._signed_in_headers = signed_in_headers
        self._service = _service_app(routes, refuse)
        self._control = control_app(self)

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request the log still keeps, oldest first."""
        return self.log.entries()

    @property
    def banner(self) -> str:
        """What a person should know before believing an answer, in lines."""
        return "\n".join((f"{self.name}: an emulator, not the service.", *self.notice))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (or the server's lifespan messages)."""
        if scope["type"] != "http":
            await self._service(scope, receive, send)
        elif scope["path"] == PREFIX or scope["path"].startswith(f"{PREFIX}/"):
            await self._control(scope, receive, send)
        else:
            await self._exchange(Exchange(scope, receive, send))

    async def _exchange(self, exchange: Exchange) -> None:
        try:
            body = await exchange.read(self.max_body_bytes)
        except ClientLeftError:
            return
        except BodyTooLargeError:
            answer = Answer.of(self.refuse(413, f"the body is larger than {self.max_body_bytes} bytes"))
            await exchange.close(answer, PASSING)
            return
        user = self.auth.user(Headers(scope=exchange.scope)) if self.auth else None
        entry = self.log.arrived(
            at=self.clock.now(),
            method=exchange.scope["method"],
            target=exchange.wire.target,
            headers=exchange.wire.headers,
            body=body,
            user=user,
        )
        await self._answer(exchange, entry, body)

    async def _answer(self, exchange: Exchange, entry: LoggedRequest, body: bytes) -> None:
        started = time.monotonic()
        fault = self.faults.take(entry.method, entry.path, body) or PASSING
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            answer = await self._decide(exchange.scope, body, entry.user, fault)
            left = fault.delay_s > 0 and await exchange.left_within(fault.delay_s)
        finally:
            self.in_flight -= 1
        outcome, status = ("left", None) if left else outcome_of(answer, fault)
        # Noted before the answer goes out, so that who has the answer finds the log complete.
        self.log.closed(entry, outcome=outcome, status=status, took_s=time.monotonic() - started)
        if not left:
            await exchange.close(answer, fault)

    async def _decide(self, scope: Scope, body: bytes, user: str | None, fault: Fault) -> Answer | None:
        if fault.drop == "unhandled":
            return None
        brought = fault.answer()
        if brought is not None:
            return brought
        if fault.status is not None:
            answer = Answer.of(self.refuse(fault.status, "a planned fault")).with_headers(fault.headers)
        else:
            answer = await self._serve(scope, body, user)
        if user is None or self._signed_in_headers is None:
            return answer
        return answer.with_headers(self._signed_in_headers(user))

    async def _serve(self, scope: Scope, body: bytes, user: str | None) -> Answer:
        if self.auth is not None and user is None:
            challenge = {"WWW-Authenticate": f'Basic realm="{self.auth.realm}"'}
            refusal = self.refuse(401, "the key or the secret is missing or wrong")
            return Answer.of(refusal).with_headers(challenge)
        reason = self.limits.admit(self.clock.now(), self.in_flight)
        if reason is not None:
            wait_s = self.limits.retry_after_s
            added = {} if wait_s is None else {"Retry-After": str(wait_s)}
            return Answer.of(self.refuse(429, reason)).with_headers(added)
        answer, raised = await answer_of(self._service, {**scope, "user": user}, body)
        if raised is not None:
            logger.error("the emulator %s failed at %s", self.name, scope["path"], exc_info=raised)
        return answer


def _service_app(routes: Sequence[BaseRoute], refuse: Refuse) -> ASGIApp:
    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return refuse(500, "the emulator failed; its log says why")
        response = refuse(error.status_code, error.detail)
        response.headers.update(error.headers or {})
        return response

    for route in routes:
        # Starlette adds HEAD to every GET; no service of ours was seen to answer it.
        if isinstance(route, Route) and route.methods is not None:
            route.methods.discard("HEAD")
    app = Starlette(routes=list(routes), exception_handlers={HTTPException: refused, Exception: refused})
    app.router.redirect_slashes = False
    return app
