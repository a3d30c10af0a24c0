"""What a service says of the quota that is left, read from the headers of its answers.

Read are the connector's own names, `RateLimit-Limit`, `-Remaining` and `-Reset` with `RateLimit-Policy`
(https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06), the same with `X-`, and the structured
`RateLimit` and `RateLimit-Policy` that replace them
(https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-09).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from haulier.delivery.dates import moment_of
from haulier.model.request import Header, Response

__all__ = ["Quota", "QuotaReader"]

_EPOCH = 1_000_000_000  # a greater reset is a point in time and no duration: 31 years would be a strange one
_MILLISECONDS = 100_000_000_000  # ... and an even greater one counts those
_FAMILIES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_KEYS = ("limit", "remaining", "reset")
_ITEM = re.compile(
    r'\s*("(?:[^"\\]|\\.)*"|[^,;="\s]+)((?:\s*;\s*[a-z*][\w.*-]*(?:=(?:"[^"]*"|:[^:]*:|[^,;\s]*))?)*)'
)
_PARAMETER = re.compile(r";\s*([a-z*][\w.*-]*)=(\"[^\"]*\"|[^,;\s]*)")


class Quota(msgspec.Struct, frozen=True, gc=False):
    """remaining: requests left; limit: of how many; reset_s: seconds until there are new ones; window_s: for how long
    they are meant. None where the service does not say. header: where it was read.
    """

    header: str
    remaining: float | None
    limit: float | None = None
    reset_s: float | None = None
    window_s: float | None = None


class QuotaReader:
    """own: the connector's names: limit, remaining, reset_epoch or reset_s -> header name in lower case."""

    def __init__(self, own: Mapping[str, str] | None = None) -> None:
        self._own = dict(own or {})
        self._silent: tuple[Header, ...] | None = None
        self._known = frozenset(
            (
                *self._own.values(),
                "ratelimit",
                "ratelimit-policy",
                "x-ratelimit-policy",
                *(f"{family}-{key}" for family in _FAMILIES for key in _KEYS),
            )
        )

    def __call__(self, response: Response, wall: float) -> tuple[Quota, ...]:
        """The quotas an answer tells of, mostly none. wall: seconds since 1970, used where it has no `Date`."""
        # Transports give equal heads as one object; in one that told of nothing there is nothing to look for again.
        if response.headers is self._silent:
            return ()
        known = self._known
        found: dict[str, str] | None = None
        for name, value in response.headers:
            if name in known:
                found = found or {}
                found[name] = f"{found[name]}, {value}" if name in found else value
        if found:
            return self._read(found, response, wall)
        self._silent = response.headers
        return ()

    def _read(self, found: dict[str, str], response: Response, wall: float) -> tuple[Quota, ...]:
        wall = _server_time(response, wall)
        quotas: list[Quota] = []
        own = self._own
        if (name := own.get("remaining", "")) in found:
            reset = found.get(own.get("reset_epoch") or own.get("reset_s") or "")
            limit = _number(found.get(own.get("limit", "")))
            quotas.append(Quota(name, _number(found[name]), limit, _reset(reset, wall)))
        if "ratelimit" in found:
            quotas += _structured(found["ratelimit"], found.get("ratelimit-policy", ""))
        for family in _FAMILIES:
            if f"{family}-remaining" in found or f"{family}-limit" in found:
                quotas.append(_three(family, found, wall))
        if not quotas and "ratelimit-policy" in found:
            quotas += _structured("", found["ratelimit-policy"])
        return tuple(quotas)


def _three(family: str, found: Mapping[str, str], wall: float) -> Quota:
    """The form with a header each. A limit may bring its window along: `100, 100;w=60`."""
    limit_text = found.get(f"{family}-limit", "")
    limit = _number(limit_text.partition(",")[0].partition(";")[0])
    window: float | None = None
    for text in (limit_text, found.get(f"{family}-policy", "")):
        for item, parameters in _items(text):
            if "w" in parameters and (limit is None or _number(item) in (limit, None)):
                window = window or _number(parameters["w"])
    return Quota(
        f"{family}-remaining",
        _number(found.get(f"{family}-remaining", "").partition(",")[0]),
        limit,
        _reset(found.get(f"{family}-reset"), wall),
        window,
    )


def _structured(limits: str, policies: str) -> list[Quota]:
    """`"burst";r=50;t=30` beside `"burst";q=100;w=60`; `limit=100, remaining=50, reset=5` is an older way."""
    told = {item: parameters for item, parameters in _items(policies) if _of_requests(parameters)}
    others = {item for item, parameters in _items(policies) if not _of_requests(parameters)}
    left = {item: parameters for item, parameters in _items(limits) if "r" in parameters}
    if not left and "remaining=" in limits:
        pairs = dict(part.partition("=")[::2] for part in limits.replace(" ", "").split(","))
        left = {
            "": {"r": pairs.get("remaining", ""), "t": pairs.get("reset", ""), "q": pairs.get("limit", "")}
        }
    quotas = []
    for item in (*left, *(item for item in told if item not in left)):
        if item in others:
            continue
        parameters = {**told.get(item, {}), **left.get(item, {})}
        quotas.append(
            Quota(
                f"ratelimit {item}".strip(),
                _number(parameters.get("r")),
                _number(parameters.get("q", item)),
                _number(parameters.get("t")),
                _number(parameters.get("w")),
            )
        )
    return quotas


def _of_requests(parameters: Mapping[str, str]) -> bool:
    """Whether a policy counts requests; others count bytes, or what is under way."""
    return parameters.get("qu", "requests") == "requests"


def _items(text: str) -> list[tuple[str, dict[str, str]]]:
    """A list of structured items with their parameters, as far as they can be read (RFC 9651)."""
    return [
        (match[1].strip('"'), {name: value.strip('"') for name, value in _PARAMETER.findall(match[2])})
        for match in _ITEM.finditer(text)
    ]


def _number(text: str | None) -> float | None:
    """A number that is none below 0, or None."""
    text = (text or "").strip()
    if not text.isascii() or not text.replace(".", "", 1).isdigit() or len(text) > 20:
        return None
    return float(text)


def _reset(text: str | None, wall: float) -> float | None:
    """Seconds until a reset, from seconds, a point in time, or a date."""
    number = _number(text)
    if number is None:
        moment = moment_of(text)
        return None if moment is None else max(0.0, moment - wall)
    if number >= _MILLISECONDS:
        number /= 1000
    return max(0.0, number - wall) if number >= _EPOCH else number


def _server_time(response: Response, wall: float) -> float:
    """The server's own time, so that a clock that differs does no harm."""
    moment = moment_of(response.header("date"))
    return wall if moment is None else moment
