"""An emulator of the service: its rules as Starlette routes, everything around them from the kit."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from haulier.testing.emulator import Clock, Emulator

__all__ = ["TOKEN", "ParcelsEmulator"]

TOKEN = "parcels-token-0123456789"  # noqa: S105 - the made-up token of a made-up service
_KEPT_S = 86_400


def _refuse(status: int, text: str) -> Response:
    return JSONResponse({"problem": text}, status)


class ParcelsEmulator(Emulator):
    """parcels: number -> (weight, until when it is kept)."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        """clock: `Clock.virtual()` for tests that let a day pass."""
        self.parcels: dict[str, tuple[str, float]] = {}
        super().__init__(
            "Parcels",
            [
                Route("/v1/depots/{depot}/parcels", self.announce, methods=["POST"]),
                Route("/v1/parcels/{id}", self.fetch, methods=["DELETE"]),
            ],
            notice=["It keeps parcels for a day."],
            refuse=_refuse,
            clock=clock,
        )

    async def announce(self, request: Request) -> Response:
        """Take the parcels of one manifest."""
        _signed_in(request)
        manifest = await request.json()
        for parcel in manifest["parcels"]:
            self.parcels[str(parcel["id"])] = str(parcel["weight"]), self.clock.now() + _KEPT_S
        return JSONResponse({"manifest": f"M{len(self.parcels)}"}, 201)

    async def fetch(self, request: Request) -> Response:
        """Hand one out."""
        _signed_in(request)
        weight, until = self.parcels.pop(request.path_params["id"], ("", 0.0))
        if self.clock.now() >= until:
            return JSONResponse({"problem": "there is no such parcel"})
        return JSONResponse({"weight": weight})


def _signed_in(request: Request) -> None:
    if request.headers.get("x-parcels-token") != TOKEN:
        raise HTTPException(401, "no such token")
