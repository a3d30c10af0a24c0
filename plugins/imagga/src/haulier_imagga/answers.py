"""What Imagga's answers mean where their status alone does not tell enough.

Every answer but a picture is an envelope: `{"result": {...}, "status": {"type": "success", "text": ""}}`,
and an error has no `result`. Sources:

* the statuses: https://docs.imagga.com/#errors
* the envelope: https://github.com/henomis/imagga-go and https://github.com/gbicou/directus-extension-imagga

Left to the default rules (None): 401 (stops), 408, 500 and 503 (tried again), anything that is no envelope.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from haulier.authoring import Request, Response, Stop, Verdict, look_up

__all__ = ["TICKET", "judge", "judge_delete", "judge_job", "judge_picture"]

# Where the ticket of an asynchronous job stands: https://github.com/henomis/imagga-go
TICKET = "/result/ticket_id"
# About what public clients wait; no `Retry-After` has been seen:
# https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga
_PAUSE_S = 1.0
_LONGEST_TEXT = 300


def judge(_request: Request, response: Response) -> Verdict | Stop | None:
    """What an answer of any call means."""
    status = response.status
    kind, text = _told(response)
    if 200 <= status < 300:
        return _success(response, kind, text)
    if status == 403:
        return _limit_reached(response, text)
    if status == 429 and response.header("retry-after") is None:
        # The concurrency or rate limit of the plan: https://docs.imagga.com/#errors
        return Verdict("retry", f"Imagga answered 429 (limit of the plan): {text}", _PAUSE_S)
    if status == 410:
        # Uploads live for 24 hours, tickets as long or until read: https://docs.imagga.com/
        return Verdict(
            "rejected", f"Imagga answered 410: upload or ticket is no longer there. {text}".rstrip()
        )
    if status in (400, 404, 405, 406) and kind == "error":
        return Verdict("rejected", f"Imagga answered {status}: {text}")
    return None


def judge_picture(request: Request, response: Response) -> Verdict | Stop | None:
    """As `judge`, for calls that answer with a picture; an envelope in its place is read, whatever it says it is."""
    if 200 <= response.status < 300:
        kind, text = ("", "") if _is_picture(response) else _told(response)
        if kind and kind != "success":
            return Verdict("rejected", f"Imagga answered {response.status}, but says: {text}")
        if kind:
            return Verdict(
                "unknown", f"Imagga answered {response.status} with JSON where a picture was expected"
            )
        return None  # the default rules know what is no file
    return judge(request, response)


def judge_delete(request: Request, response: Response) -> Verdict | Stop | None:
    """As `judge`; what is already gone is what was asked for, so it counts as delivered.

    A 410 says so. A 404 says so only inside Imagga's envelope and below the documented path: it stands for an unknown
    address as well (https://docs.imagga.com/#errors), and then nothing was deleted. Which of the two statuses an
    expired id gives is not known.
    """
    told = _told(response)[0] == "error"
    if 200 <= response.status < 300 and not response.body:
        return None  # nothing is to be read out of it
    if response.status == 410 or (response.status == 404 and told and _is_documented(request)):
        return Verdict("delivered", f"already gone (answered {response.status})")
    if response.status == 404 and told:
        return Verdict(
            "unknown",
            f"Imagga answered 404 at {_path_of(request)}, which does not begin with /v2/: either it is gone already, "
            "or there is no such address and nothing was deleted. Look at `base_url`; where that is right, write "
            "`verdicts: {404: delivered}`",
        )
    return judge(request, response)


def judge_job(request: Request, response: Response) -> Verdict | Stop | None:
    """As `judge`, for calls that start a job; a success without a ticket leaves open whether there is one."""
    verdict = judge(request, response)
    if verdict is None and _told(response)[0] == "success" and not look_up(response.body, TICKET):
        return Verdict("unknown", f"Imagga answered {response.status} without a ticket_id")
    return verdict


def _success(response: Response, kind: str, text: str) -> Verdict | None:
    """An error inside a success was seen in no recording, nor was any other type: what the envelope says counts."""
    if kind and kind != "success":
        return Verdict("rejected", f"Imagga answered {response.status}, but says: {text or kind}")
    if kind or _is_page(response) or isinstance(look_up(response.body, ""), dict):
        return None
    what = "a picture" if _is_picture(response) else "something else" if response.body else "nothing"
    return Verdict(
        "unknown", f"Imagga answered {response.status} with {what} where a JSON object was expected"
    )


def _is_page(response: Response) -> bool:
    """A web page is left to the default rules: a proxy or a wrong address stands behind it."""
    return "html" in (response.header("content-type") or "").lower() or response.body.lstrip()[:1] == b"<"


def _is_picture(response: Response) -> bool:
    return (response.header("content-type") or "").strip().lower().startswith("image/")


def _limit_reached(response: Response, text: str) -> Stop:
    """A 403: the quota of the month, or what the plan does not cover; both hold for every further request.

    One client tested against the service met 403 for bursts, too, so trying again is the reader's choice:
    https://github.com/airbytehq/airbyte/blob/master/airbyte-integrations/connectors/source-imagga/manifest.yaml
    """
    left = response.header("monthly-limit-remaining")
    said = text.removesuffix(".") or "no reason given"
    return Stop(
        f"Imagga answered 403: {said}. A limit of the subscription was reached, or the plan does "
        f"not cover this call{f'; requests left this month: {left[:20]}' if left else ''}{_reset(response)}. "
        "Run again after that, or write `verdicts: {403: retry}` where it comes from bursts"
    )


def _reset(response: Response) -> str:
    reset = response.header("monthly-limit-reset") or ""
    if not (reset.isascii() and reset.isdigit() and len(reset) <= 10):
        return ""
    return f", new ones from {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M} UTC"


def _path_of(request: Request) -> str:
    return urlsplit(request.url).path


def _is_documented(request: Request) -> bool:
    """Whether it went to a path as Imagga documents them, not below one of a gateway's or a mistaken one."""
    return _path_of(request).startswith("/v2/")


def _told(response: Response) -> tuple[str, str]:
    """(type, text) of the envelope's status, empty texts where there is none.

    `result.status` is read, too: seen in public client code, address unknown, read 2026-11-22.
    """
    for pointer in ("/status", "/result/status"):
        status = look_up(response.body, pointer)
        if isinstance(status, dict):
            text = " ".join(str(status.get("text") or "").split())
            kind = status.get("type")
            return kind if isinstance(kind, str) else "", text[:_LONGEST_TEXT]
    return "", ""
