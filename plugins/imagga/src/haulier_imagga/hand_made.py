"""What to tell the author of a request to Imagga made by hand: where the service expects something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit

from haulier_imagga.endpoints import TEMPLATES

__all__ = ["warnings"]

# What follows /v2/ in the path of a call. Formats by call: https://docs.imagga.com/,
# https://github.com/henomis/imagga-go (groupings, recognition) and
# https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga (batches)
_JSON = r"(tags/feedback|faces/groupings|faces/recognition|batches)(/|$)"
_ONE_IMAGE = r"(tags|categories|colors|croppings|faces/detections|text|remove-background|similar-images)(/|$)"
_METHODS: dict[str, list[str]] = {}
for _one in TEMPLATES:
    _METHODS.setdefault(_one.path.removeprefix("/v2/"), []).append(_one.method)
_BY_REFERENCE = r"(^|&)(image_url|image_upload_id)="


def warnings(method: str, url: str, content_format: str) -> tuple[str, ...]:
    """One sentence for each thing in which the request differs from what is known of Imagga; often none.

    url: as written, expressions and all. content_format: an encoder's name; `none` or empty: no body is sent.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all; that is said elsewhere
        return ()
    # Below another host, an emulator's or a gateway's, the calls may have a base path before /v2/.
    begins = parts.path.startswith("/v2/") if parts.netloc == "api.imagga.com" else "/v2/" in parts.path
    told = [] if begins else [f"{parts.path or url} does not begin with /v2/, as Imagga's calls do"]
    call = re.sub("(?i).*/v2/", "", parts.path).strip("/")
    body = "" if content_format == "none" else content_format
    return (*told, *_unknown(method, call), *_about(method, call, parts.query, body))


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    """What calls match, by the path of their template. Made when first asked for: few starts have a use for it."""
    return {path: re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in _METHODS}


def _unknown(method: str, call: str) -> Iterator[str]:
    """What is to be said of a call that no endpoint template describes."""
    if not call:
        return
    # `tags/feedback` fits `tags/{tagger_id}`, too: what is written out counts first.
    fitting = (
        [call] if call in _METHODS else [path for path, one in _patterns().items() if one.fullmatch(call)]
    )
    methods = sorted({known for path in fitting for known in _METHODS[path]})
    if not fitting:
        from difflib import get_close_matches  # noqa: PLC0415 - for this message alone

        close = get_close_matches(call, _METHODS, 1)
        hint = f"did you mean /v2/{close[0]}?" if close else "see: haulier endpoints imagga"
        yield f"/v2/{call} is no call that is known of Imagga's version 2; {hint}"
    elif method not in methods:
        yield f"/v2/{call} is not known to be asked with {method}, but with {' or '.join(methods)}"


def _about(method: str, call: str, query: str, content_format: str) -> Iterator[str]:
    if re.match(_JSON, call):
        if method != "GET" and content_format not in ("json", ""):
            yield f"/v2/{call} takes json, not {content_format}"
    elif re.match(_ONE_IMAGE, call):
        yield from _about_images(method, call, query, content_format)
    elif call == "uploads" and method == "POST":
        yield from _about_uploads(query, content_format)
    if call.startswith("categories/nsfw_beta"):
        yield (
            "nsfw_beta is no longer listed in Imagga's documentation, which lists adult_content: "
            "/v2/categories/adult_content"
        )


def _about_images(method: str, call: str, query: str, content_format: str) -> Iterator[str]:
    if method != "POST":
        return
    if content_format == "json":
        yield (
            f"/v2/{call} is not known to take json: a picture goes there as multipart (file part "
            "`image`) or as form (field `image_base64`)"
        )
    if content_format != "multipart" or re.search(_BY_REFERENCE, query):
        yield (
            f"where records name their picture by image_url or image_upload_id, /v2/{call} is asked "
            "with GET, which puts them into the query: write `method: GET`"
        )


def _about_uploads(query: str, content_format: str) -> Iterator[str]:
    if content_format not in ("multipart", "form"):
        yield (
            "/v2/uploads takes multipart (file part `image`) or form (field `image_base64`), not "
            f"{content_format or 'an empty body'}"
        )
    if content_format != "multipart" or re.search(_BY_REFERENCE, query):
        yield "/v2/uploads is not known to take an image_url: analyse it with GET /v2/tags?image_url=..."
