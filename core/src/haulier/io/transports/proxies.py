"""Which proxy stands between here and a server, as the environment says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from haulier.errors import ConfigurationError

__all__ = ["proxy_of"]


def proxy_of(origin: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the proxy for an origin, or None for the direct way, which is the only one to this very machine.

    It is named by `https_proxy`, `http_proxy` or `all_proxy`, in lower or upper case, but where `no_proxy` names the
    host or a domain above it. ConfigurationError where it is no HTTP proxy; the message does not show its password.
    """
    parts = urlsplit(origin)
    host = (parts.hostname or "").lower()
    if _is_here(host) or _is_exempt(host, parts.port, _value("no_proxy", environment)):
        return None
    name = f"{parts.scheme}_proxy"
    url = _value(name, environment) or _value("all_proxy", environment)
    if not url:
        return None
    if "://" not in url:
        url = f"http://{url}"
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigurationError(
            f"the environment's {name} or all_proxy names a {urlsplit(url).scheme} proxy, and only HTTP proxies are "
            f"spoken to; name one, or write {host} into no_proxy"
        )
    return url


def _value(name: str, environment: Mapping[str, str]) -> str:
    # A server sets HTTP_PROXY from a header that any client sends (https://httpoxy.org/), lower case it cannot.
    upper = "" if name == "http_proxy" and "REQUEST_METHOD" in environment else name.upper()
    return (environment.get(name) or environment.get(upper) or "").strip()


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_exempt(host: str, port: int | None, exempt: str) -> bool:
    for written in exempt.lower().split(","):
        entry = written.strip()
        name = entry.removeprefix("*").removeprefix(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}") or f"{host}:{port}" == name)):
            return True
    return False
