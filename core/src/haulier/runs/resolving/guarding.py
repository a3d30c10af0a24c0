"""Around plugin code: whatever it raises that it should not becomes a PluginError that names it.

SystemExit, too: a plugin that calls sys.exit() must not end this process.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from types import GeneratorType
from typing import Any, ParamSpec, TypeVar

from haulier.errors import HaulierError, PluginError, RecordError
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

    def __init__(self, grouping: Grouping, what: str) -> None:
        """what: the grouping, as messages name it."""
        self._what = what
        self._build = guarded(grouping.build, self._what)

    def build(self, items: Sequence[Any]) -> Any:
        """What the grouping builds, or where it waits, the generator that does."""
        try:
            built = self._build(items)
        except RecordError as error:
            self._check_named(error, items)
            raise
        return self._waited(built) if type(built) is GeneratorType else built

    def _check_named(self, error: RecordError, items: Sequence[Any]) -> None:
        """Pass where `each` names items of the batch alone; an index, say, would leave it unheard."""
        mine = set(map(id, items))
        each: Sequence[Any] = error.each  # whatever a stranger wrote
        for named in each:
            if not isinstance(named, Sequence) or len(named) != 2 or id(named[0]) not in mine:
                raise PluginError(
                    f"{self._what} raised RecordError({str(error)!r}), whose `each` names something that is no item of "
                    "the batch; name the very items that `build` was given: each=[(item, reason)]"
                ) from error

    def _waited(self, building: Generator[Work, Any, Any]) -> Generator[Work, Any, Any]:
        try:
            return (yield from building)
        except HaulierError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"{self._what} raised {type(error).__name__}: {error}") from error
