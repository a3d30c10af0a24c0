"""Around plugin code: whatever it raises or returns that it should not becomes a PluginError that names it.

SystemExit, too, and what asyncio tells tasks by: a plugin must neither end this process nor leave it waiting. A real
cancellation is raised where something is awaited, and no function of a plugin is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from types import GeneratorType
from typing import Any, ParamSpec, TypeVar

import msgspec

from haulier.errors import HaulierError, PluginError, RecordError
from haulier.model.parts import Grouping, Payload
from haulier.model.request import Body
from haulier.model.wording import one_line
from haulier.plugins.offers import Offer
from haulier.plugins.registry import Registry
from haulier.runs.resolving.returned import Check, body_fault, grouping_fault, portions_fault, work_fault

__all__ = ["Guard", "GuardedEncode", "GuardedGrouping", "guard_of"]

P = ParamSpec("P")
T = TypeVar("T")
Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Guard(msgspec.Struct, frozen=True):
    """Around the functions of one thing that a plugin brings.

    what: as messages name it, with its plugin; place: where it is used, such as a destination, empty where whoever
    catches the error says so. own: it is core's, so that what it returns need not be looked at. mend: the way out.
    redact: takes secrets that it was given out of what it says.
    """

    what: str
    place: str = ""
    own: bool = False
    mend: str = ""
    redact: Callable[[str], str] = str

    def around(
        self,
        call: Callable[P, T],
        *,
        returns: Check | None = None,
        passing: tuple[type[Exception], ...] = (),
        about: Callable[P, str] | None = None,
    ) -> Callable[P, T]:
        """The same function, whose unexpected exceptions and whose wrong answers name this.

        returns: what is wrong with an answer. passing: what it may raise besides our own errors. about: of what it was
        asked, for messages.
        """
        check = None if self.own else returns
        expected: tuple[type[Exception], ...] = (HaulierError, *passing)

        def within(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                found = call(*args, **kwargs)
            except expected as error:
                self._hide_secrets(error)
                raise
            except BaseException as error:
                if _is_of_the_keyboard(error):
                    raise
                told = self.raised(error, about(*args, **kwargs) if about is not None else "")
                raise told from (error if self.redact is str else None)
            if check is not None and (fault := check(found)):
                raise self.fault(
                    f"returned {fault}", about(*args, **kwargs) if about is not None else ""
                ) from None
            return found

        return within

    def steps(
        self, going: Generator[Asked, Told, T], *, yields: Check, returns: Check
    ) -> Generator[Asked, Told, T]:
        """The same generator, guarded between what it yields; it hears of a RecordError that is thrown in."""

        def thrown(error: RecordError) -> Asked:
            return going.throw(error)

        step: Callable[[Told | None], Asked] = self.around(going.send, passing=(StopIteration,))  # type: ignore[arg-type]
        throw = self.around(thrown, passing=(StopIteration,))
        try:
            wish = step(None)  # by which a generator begins
            while True:
                if not self.own and (fault := yields(wish)):
                    raise self.fault(f"yielded {fault}")
                try:
                    told = yield wish
                except RecordError as error:
                    wish = throw(error)
                else:
                    wish = step(told)
        except StopIteration as end:
            if not self.own and (fault := returns(end.value)):
                raise self.fault(f"returned {fault}") from None
            return end.value  # type: ignore[no-any-return]

    def raised(self, error: BaseException, about: str = "") -> PluginError:
        """That it raised what it must not."""
        said = one_line(self.redact(str(error)))
        return self.fault(f"raised {type(error).__name__}{f': {said}' if said else ''}", about)

    def _hide_secrets(self, error: BaseException) -> None:
        """Take them out of an error that is passed on, and what tracebacks would show beside it away."""
        if self.redact is not str:
            error.args = tuple(self.redact(one) if isinstance(one, str) else one for one in error.args)
            error.__cause__ = error.__context__ = None
            error.__dict__.pop("__notes__", None)

    def fault(self, what: str, about: str = "") -> PluginError:
        """That it did something wrong; about: when."""
        before = f"{self.place}: " if self.place else ""
        behind = (f" ({about})" if about else "") + (f". {self.mend}" if self.mend else "")
        return PluginError(f"{before}{self.what} {what}{behind}")


def guard_of(registry: Registry, offer: Offer, *, part: str = "", place: str = "") -> Guard:
    """The guard of something that a plugin brings. part: of what it has, such as `judge of`; place: see Guard."""
    return Guard(f"{part} {registry.named(offer)}".lstrip(), place, registry.is_own(offer))


def _is_of_the_keyboard(error: BaseException) -> bool:
    """Whether a person may have raised it, which Python does wherever the main thread just is."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


class GuardedEncode:
    """The `encode` of a content encoder, guarded; it can be handed to another process where that function can."""

    def __init__(self, encode: Callable[[Payload, Any], Body], guard: Guard) -> None:
        self._made_of = (encode, guard)
        self._encode = guard.around(encode, returns=body_fault)

    def __call__(self, payload: Payload, settings: Any) -> Body:
        """The body of a payload."""
        return self._encode(payload, settings)

    def __reduce__(self) -> tuple[Any, ...]:
        """As what it is made of."""
        return GuardedEncode, self._made_of


class GuardedGrouping:
    """A grouping made by its factory, guarded; `guard` names it. Another process makes it anew."""

    def __init__(self, factory: Callable[[Any], Grouping], settings: Any, guard: Guard) -> None:
        self._made_of = (factory, settings, guard)
        grouping = guard.around(factory, returns=grouping_fault)(settings)
        self._guard = guard
        self._build = guard.around(grouping.build, returns=portions_fault)

    def __reduce__(self) -> tuple[Any, ...]:
        """As what it is made of."""
        return GuardedGrouping, self._made_of

    def build(self, items: Sequence[Any]) -> Any:
        """What the grouping builds, or where it waits, the generator that does."""
        try:
            built = self._build(items)
        except RecordError as error:
            self._check_named(error, items)
            raise
        if type(built) is not GeneratorType:
            return built
        return self._guard.steps(built, yields=work_fault, returns=portions_fault)

    def _check_named(self, error: RecordError, items: Sequence[Any]) -> None:
        """Pass where `each` names items of the batch alone; an index, say, would leave it unheard."""
        mine = set(map(id, items))
        each: Sequence[Any] = error.each  # whatever a stranger wrote
        for named in each:
            if not isinstance(named, Sequence) or len(named) != 2 or id(named[0]) not in mine:
                raise self._guard.fault(
                    f"raised RecordError({str(error)!r}), whose `each` names something that is no item of "
                    "the batch; name the very items that `build` was given: each=[(item, reason)]"
                ) from error
