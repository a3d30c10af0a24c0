"""Around plugin code: whatever it raises that it should not becomes a PluginError that names it.

SystemExit, too: a plugin that calls sys.exit() must not end this process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import GeneratorType
from typing import Any, ParamSpec, TypeVar

from haulier.errors import HaulierError, PluginError
from haulier.model.parts import Grouping, Work

__all__ = ["GuardedGrouping", "guarded"]

P = ParamSpec("P")
T = TypeVar("T")


def guarded(call: Callable[P, T], what: str) -> Callable[P, T]:
    """The same function, whose unexpected exceptions name `what`, such as `grouping sums`."""

    def within(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except HaulierError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"{what} raised {type(error).__name__}: {error}") from error

    return within


class GuardedGrouping:
    """A grouping whose unexpected exceptions name it."""

    def __init__(self, grouping: Grouping, name: str) -> None:
        self._what = f"grouping {name}"
        self._build = guarded(grouping.build, self._what)

    def build(self, items: Sequence[Any]) -> Any:
        """What the grouping builds, or where it waits, the generator that does."""
        built = self._build(items)
        return self._waited(built) if type(built) is GeneratorType else built

    def _waited(self, building: Generator[Work, Any, Any]) -> Generator[Work, Any, Any]:
        try:
            return (yield from building)
        except HaulierError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"{self._what} raised {type(error).__name__}: {error}") from error
