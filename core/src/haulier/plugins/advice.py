"""What to tell the author of a request made by hand, from what its connector knows."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from haulier.errors import PluginError
from haulier.model.connector import EndpointTemplate
from haulier.plugins.registry import Registry

__all__ = ["hand_made_warnings", "templates_like"]


def hand_made_warnings(
    registry: Registry, connector: str, *, method: str, url: str, content_format: str, batched: bool
) -> tuple[str, ...]:
    """Warnings about a hand-made request of a connector; none of them keeps it from being sent.

    url: as written, expressions and all. content_format: empty where no body is sent. Raises PluginError,
    naming the connector, where its own `warnings` fails.
    """
    own = registry.connector(connector).warnings
    told: list[str] = []
    if own is not None:
        try:
            told += own(method, url, content_format)
        except Exception as error:  # a plugin's code may raise anything
            raise PluginError(
                f"`warnings` of connector {connector} raised {type(error).__name__}: {error}"
            ) from error
    alike = templates_like(registry, connector, method, url)
    if batched and alike and all(template.batch == "unit" for template in alike):
        names = ", ".join(template.name for template in alike)
        told.append(
            f"{method} {alike[0].path} takes one record a call (endpoint {names}), "
            "but batching is on: leave `batching` out"
        )
    return tuple(told)


def templates_like(registry: Registry, connector: str, method: str, url: str) -> tuple[EndpointTemplate, ...]:
    """The endpoint templates of a connector with this method whose path fits the URL's, whatever its host."""
    path = urlsplit(url).path
    return tuple(
        template
        for template in registry.endpoints_of(connector)
        if template.method == method and re.fullmatch(_pattern(template.path), path)
    )


def _pattern(path: str) -> str:
    return "[^/]+".join(map(re.escape, re.split(r"\{[^{}]*\}", path)))
