"""What a person is told before a destination does what cannot be undone."""

from __future__ import annotations

from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.resolving.site import DestinationLike, site_of

__all__ = ["irreversible", "left_behind"]

_MAKES_NOTHING = ("GET", "DELETE")


def irreversible(
    destination: DestinationLike, *, base_url: str | None = None, first_only: bool = False
) -> str:
    """What cannot be undone about sending to this destination; empty where it can.

    That is what its endpoint template warns of; a DELETE made by hand is taken for irreversible as well. Of a chain,
    what its stages do, or only the first one.
    """
    site = site_of(destination)
    stages = resolve_stages(site.destination, load_registry(), base_url=base_url)
    told = [(one.name, _irreversible(one)) for one in (stages[:1] if first_only else stages)]
    return " ".join(f"stage {name}: {why}" if name else why for name, why in told if why)


def left_behind(destination: DestinationLike, *, base_url: str | None = None) -> str:
    """What a test send of a chain may leave at the service, as its first stage is called alone; empty where nothing."""
    stages = resolve_stages(site_of(destination).destination, load_registry(), base_url=base_url)
    if len(stages) == 1 or stages[0].method in _MAKES_NOTHING:
        return ""
    later = ", ".join(f"`{one.name}`" for one in stages[1:])
    return f"a test calls stage `{stages[0].name}` alone: what that makes at the service stays there, without {later}"


def _irreversible(resolved: Resolved) -> str:
    if resolved.template is not None:
        return resolved.template.irreversible
    return f"DELETE {resolved.origin} may not be undone." if resolved.method == "DELETE" else ""
