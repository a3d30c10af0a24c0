"""Steering an emulator from another process: endpoints below `/_emulator`, outside limits, faults and log."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from haulier.testing.emulator.clock import Clock
from haulier.testing.emulator.errors import EmulatorError
from haulier.testing.emulator.faults import FaultPlan, parse_faults
from haulier.testing.emulator.limits import Limits
from haulier.testing.emulator.log import LoggedRequest, RequestLog

PREFIX = "/_emulator"


class Steered(Protocol):
    """What can be steered, and seen, of an emulator."""

    name: str
    notice: tuple[str, ...]
    clock: Clock
    limits: Limits
    faults: FaultPlan
    log: RequestLog
    in_flight: int
    peak_in_flight: int

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request the log still keeps, oldest first."""
        ...


Action = Callable[[Steered, Request], Awaitable[object]]


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """Moves the clock: on by `advance_s` seconds, or to `set` (seconds since 1970, or ISO 8601 with zone)."""

    advance_s: float | None = None
    set: float | datetime | None = None

    def apply(self, clock: Clock) -> None:
        """Move `clock`; exactly one of the two must be given."""
        if (self.advance_s is None) == (self.set is None):
            raise EmulatorError("give exactly one of advance_s and set")
        if self.advance_s is not None:
            clock.advance(self.advance_s)
        elif self.set is not None:
            clock.set(self.set)


class LimitsChange(msgspec.Struct, forbid_unknown_fields=True):
    """Replaces the limits; what is left out is lifted."""

    requests_per_second: float | None = None
    max_in_flight: int | None = None
    retry_after_s: int | None = None


def control_app(emulator: Steered) -> ASGIApp:
    """The app that answers below PREFIX."""
    table: dict[str, dict[str, Action]] = {
        "": {"GET": _about},
        "/faults": {"GET": _faults, "POST": _add_faults, "DELETE": _clear_faults},
        "/requests": {"GET": _requests, "DELETE": _clear_requests},
        "/clock": {"GET": _clock, "POST": _move_clock},
        "/limits": {"GET": _limits, "POST": _set_limits},
    }
    routes = [
        Route(PREFIX + path, _endpoint(emulator, actions), methods=list(actions))
        for path, actions in table.items()
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app


def _endpoint(emulator: Steered, actions: dict[str, Action]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        refusal = _refusal(request)
        if refusal is not None:
            return _json({"error": refusal}, 403)
        # Starlette answers HEAD for every GET.
        action = actions["GET" if request.method == "HEAD" else request.method]
        try:
            return _json(await action(emulator, request))
        except (EmulatorError, msgspec.MsgspecError) as error:
            return _json({"error": str(error)}, 400)

    return answer


def _refusal(request: Request) -> str | None:
    """Why a request may not steer; a web page a person has open could otherwise reach a loopback port."""
    host = (request.headers.get("host") or "").rpartition("]")[0].strip("[") or request.url.hostname or ""
    if host != "localhost" and not _is_loopback(host):
        return f"the emulator is steered under a loopback address, not as {host!r}"
    media_type = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if request.method == "POST" and media_type != "application/json":
        return "send application/json"
    if "origin" in request.headers:
        return "the emulator is not steered from a web page"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _about(emulator: Steered, request: Request) -> object:
    return {
        "name": emulator.name,
        "notice": list(emulator.notice),
        "requests": emulator.log.count,
        "in_flight": emulator.in_flight,
        "peak_in_flight": emulator.peak_in_flight,
        "clock": await _clock(emulator, request),
        "limits": await _limits(emulator, request),
        "faults": await _faults(emulator, request),
    }


async def _faults(emulator: Steered, request: Request) -> object:
    return emulator.faults.left()


async def _add_faults(emulator: Steered, request: Request) -> object:
    body = await request.body()
    if body.lstrip().startswith(b"@"):
        raise EmulatorError("faults are sent as JSON; a file is read on the command line only")
    emulator.faults.add(*parse_faults(body))
    return emulator.faults.left()


async def _clear_faults(emulator: Steered, request: Request) -> object:
    emulator.faults.clear()
    return []


async def _requests(emulator: Steered, request: Request) -> object:
    return [entry.shown() for entry in emulator.requests]


async def _clear_requests(emulator: Steered, request: Request) -> object:
    emulator.log.clear()
    return []


async def _clock(emulator: Steered, request: Request) -> object:
    now = emulator.clock.now()
    return {
        "now": now,
        "iso": datetime.fromtimestamp(now, UTC).isoformat(),
        "virtual": emulator.clock.is_virtual,
    }


async def _move_clock(emulator: Steered, request: Request) -> object:
    msgspec.json.decode(await request.body(), type=ClockChange).apply(emulator.clock)
    return await _clock(emulator, request)


async def _limits(emulator: Steered, request: Request) -> object:
    limits = emulator.limits
    return LimitsChange(limits.requests_per_second, limits.max_in_flight, limits.retry_after_s)


async def _set_limits(emulator: Steered, request: Request) -> object:
    change = msgspec.json.decode(await request.body(), type=LimitsChange)
    emulator.limits.set(**msgspec.structs.asdict(change))
    return await _limits(emulator, request)
