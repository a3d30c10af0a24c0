"""What a person is told before a destination does what cannot be undone."""

from __future__ import annotations

from haulier.runs.builtins import load_registry
from haulier.runs.resolve import resolve
from haulier.runs.site import DestinationLike, site_of

__all__ = ["irreversible"]


def irreversible(destination: DestinationLike, *, base_url: str | None = None) -> str:
    """What cannot be undone about sending to this destination; empty where it can.

    That is what its endpoint template warns of; a DELETE made by hand is taken for irreversible as well.
    """
    site = site_of(destination)
    resolved = resolve(site.destination, load_registry(), base_url=base_url)
    if resolved.template is not None:
        return resolved.template.irreversible
    return f"DELETE {resolved.origin} may not be undone." if resolved.method == "DELETE" else ""
