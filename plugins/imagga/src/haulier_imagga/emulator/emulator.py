"""The emulator itself: all endpoints on the kit, with the service's authentication, envelope and headers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from haulier.testing.emulator import BasicAuth, Clock, Emulator, EmulatorError, Fault, Limits
from haulier_imagga.emulator import (
    batches,
    categories,
    colors,
    croppings,
    faces,
    feedback,
    recognition,
    similar,
    tags,
    tickets,
    uploads,
    usage,
    words,
)
from haulier_imagga.emulator.account import Account
from haulier_imagga.emulator.call import read_call
from haulier_imagga.emulator.endpoint import Endpoint
from haulier_imagga.emulator.envelope import refusal, success
from haulier_imagga.emulator.holdings import Faces, Indexes, Tickets, Uploads
from haulier_imagga.emulator.refusal import File, Refusal
from haulier_imagga.emulator.service import Service, Settings

# Made up; in the shape in which public client code shows keys and secrets.
DEMO_KEY = "acc_0123456789abcde"
DEMO_SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 - opens nothing but an emulator
# The one recorded account had this; seen in public client code, address unknown, read 2026-11-22.
MONTHLY_LIMIT = 1000

ENDPOINTS: tuple[Endpoint, ...] = (
    *uploads.ENDPOINTS,
    *feedback.ENDPOINTS,  # before a tagger of that name
    *tags.ENDPOINTS,
    *categories.ENDPOINTS,
    *colors.ENDPOINTS,
    *croppings.ENDPOINTS,
    *words.ENDPOINTS,
    *faces.ENDPOINTS,
    *recognition.ENDPOINTS,
    *similar.ENDPOINTS,
    *batches.ENDPOINTS,
    *tickets.ENDPOINTS,
    *usage.ENDPOINTS,
)
NOTICE = (
    "It knows the service from public documents and client code read on 2026-11-22; no service was asked.",
    "Tags, categories, faces and colours are not vision: they come from a picture's bytes, or a URL's text."
    " No URL is fetched, no callback is made; a URL that ends like a document (.html, .pdf) is refused.",
    "Not known: the words of refusals (but one); the rate limits of plans; a Retry-After with 429 (here: only"
    " if set); which calls count against the monthly limit (here: successful analyses); whether 403 also"
    " stands for a burst; image_url or image_upload_id in a POST, image_base64 in JSON (here: refused unless"
    " asked for); the shape of a 404 to an unknown path (here: the envelope, as for an unknown id).",
    "Marks: A by two sources or Imagga's own, B by one good source, C inferred, ? not established.",
    "Not known of each:",
)


class ImaggaEmulator(Emulator):
    """Imagga's API v2 for tests and demonstrations; an ASGI app for `serve` and `run_forever`.

    `credentials` maps API keys to secrets (one demo account when left out); each account has `monthly_limit`
    metered calls a month, by `clock`. See `Settings` for `polls`, `unverified_inputs`, `any_face_id` and
    `free_plan`.
    Beside what the kit offers (`faults`, `limits`, `clock`, `requests`), `service` is the state and
    `service.accounts` the accounts by key.
    """

    def __init__(
        self,
        *,
        credentials: Mapping[str, str] | None = None,
        monthly_limit: int = MONTHLY_LIMIT,
        polls: int = 2,
        unverified_inputs: bool = False,
        any_face_id: bool = False,
        free_plan: bool = False,
        clock: Clock | None = None,
        limits: Limits | None = None,
        faults: Iterable[Fault] = (),
    ) -> None:
        if monthly_limit < 0 or polls < 0:
            raise EmulatorError(f"monthly limit ({monthly_limit}) and polls ({polls}) must be 0 or more")
        users = {DEMO_KEY: DEMO_SECRET} if credentials is None else credentials
        clock, limits = clock or Clock(), limits or Limits()
        self.service = Service(
            clock=clock,
            limits=limits,
            settings=Settings(
                polls=polls,
                unverified_inputs=unverified_inputs,
                any_face_id=any_face_id,
                free_plan=free_plan,
            ),
            accounts={key: Account(monthly_limit) for key in users},
            uploads=Uploads(),
            faces=Faces(),
            tickets=Tickets(),
            people=Indexes(),
            pictures=Indexes(),
            in_flight=lambda: self.in_flight,
        )
        super().__init__(
            "Imagga API v2",
            [_route(self.service, endpoint) for endpoint in ENDPOINTS],
            notice=_notice(demo=credentials is None),
            auth=BasicAuth(users, realm="Imagga emulator"),
            refuse=refusal,
            signed_in_headers=lambda key: self.service.accounts[key].headers(clock.now()),
            clock=clock,
            limits=limits,
            faults=faults,
        )


def _notice(*, demo: bool) -> list[str]:
    signing_in = f"Demo key {DEMO_KEY}, demo secret {DEMO_SECRET}."
    unknown = [f"  {endpoint.title}: {endpoint.unknown}" for endpoint in ENDPOINTS]
    return [*NOTICE, *unknown, *([signing_in] if demo else [])]


def _route(service: Service, endpoint: Endpoint) -> Route:
    answer: Callable[[Request], Awaitable[Response]] = _answerer(service, endpoint)
    return Route(endpoint.path, answer, methods=list(endpoint.methods))


def _answerer(service: Service, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        account, now = service.accounts[request.scope["user"]], service.clock.now()
        succeeded = False
        try:
            _require_json(request)
            if endpoint.metered:
                account.require_quota(now)
            answered = endpoint.answer(service, await read_call(request))
            response = (
                Response(answered.data, media_type=answered.media_type)
                if isinstance(answered, File)
                else success(answered)
            )
            succeeded = True
        except Refusal as error:
            response = refusal(error.status, error.text)
        finally:
            account.count(now, processed=succeeded and endpoint.metered)
        return response

    return answer


def _require_json(request: Request) -> None:
    # The status table of https://docs.imagga.com/#errors, as copied into public client code, has the 406.
    accepted = [
        kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "*/*").split(",")
    ]
    if not {"*/*", "application/*", "application/json"} & set(accepted):
        raise Refusal(406, "only application/json is answered")
