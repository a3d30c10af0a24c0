"""Files that a record names by URL: whether and how they are fetched."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from haulier.model.written import Written

__all__ = ["Fetch", "is_url"]

_HOST = r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?(:\d{1,5})?"
_HIGHEST_PORT = 65_535
_URL = re.compile(r"https?://", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Whether what a file parameter says is to be fetched, and no path."""
    return _URL.match(path) is not None


class Fetch(Written):
    """How files are fetched whose parameter says a URL."""

    max_bytes: Annotated[int, Field(ge=1)] = Field(
        default=20 * 1024 * 1024, description="largest file that is fetched, as it comes and as it is sent"
    )
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=30, description="longest time for one file, all redirects together"
    )
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(
        default=3, description="tries for each file that got no answer, or 408, 425, 429 or a 5xx"
    )
    allow: list[str] = Field(
        default=[],
        description="what may be fetched from besides public addresses: names such as `pictures.intern`, "
        "`localhost:8000`, or networks such as `10.1.0.0/16`",
    )
    unreachable: Literal["stop", "reject"] = Field(
        default="stop",
        description="files that could not be fetched, one after the other and none in between: `stop` the run, which "
        "goes on later, or `reject` their records",
    )

    @field_validator("timeout_s", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: Any) -> Any:
        return float(value) if type(value) is int else value

    @field_validator("allow")
    @classmethod
    def _hosts_or_networks(cls, value: list[str]) -> list[str]:
        for one in value:
            try:
                ip_network(one)
            except ValueError:
                # Digits and dots alone: a network that is none would be taken for a name and allow nothing.
                if not re.fullmatch(_HOST, one) or not re.search("[a-z:]", one):
                    raise ValueError(
                        f"{one!r} is no name and no network: write a host in small letters, `host:port`, an address, "
                        "or a network such as 10.1.0.0/16, no bits set behind its prefix"
                    ) from None
                if not 1 <= int(one.partition(":")[2] or 1) <= _HIGHEST_PORT:
                    raise ValueError(f"{one!r} has no port of a host: write 1 to {_HIGHEST_PORT}") from None
        return value
