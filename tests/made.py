"""Values that many tests need whole and few look into: each is given what it is about, and has the rest from here."""

from __future__ import annotations

from datetime import date
from typing import Any

from haulier.authoring import EndpointTemplate
from haulier.model.request import Request

__all__ = ["made_endpoint", "made_request"]


def made_request(
    url: str = "http://127.0.0.1/", method: str = "GET", body: Any = b"", **changes: Any
) -> Request:
    """The first request of a run, with one record, but for the changes; its hash and headers are empty."""
    whole: dict[str, Any] = {
        "number": 0,
        "positions": range(1),
        "headers": (),
        "length": len(body) if isinstance(body, bytes) else 0,
        "sha256": b"",
    }
    return Request(url=url, method=method, body=body, **{**whole, **changes})


def made_endpoint(name: str, **settings: Any) -> EndpointTemplate:
    """A verified endpoint of acme with these settings, and words where a template must have some."""
    words = {"connector": "acme", "title": name.capitalize(), "description": f"{name.capitalize()}."}
    facts: dict[str, Any] = {
        "verified": True,
        "source": "https://acme.example",
        "read_on": date(2026, 11, 22),
    }
    return EndpointTemplate(name=name, **{**words, **facts, **settings})
