"""A loop in a thread of its own, so that the synchronous API works anywhere, also inside a running event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["LoopThread", "carried", "new_loop"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Stoppable(Protocol[T_co]):
    """What is run in a loop, and can be told from outside to stop."""

    async def run(self) -> T_co:
        """Run to the end, or to a stop."""
        ...

    def stop(self, reason: str) -> None:
        """Stop, resumably; from any thread."""
        ...


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop: uvloop's where the extra `fast` brought it, else the standard one."""
    try:
        import uvloop  # noqa: PLC0415 - an extra, and only for runs
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class LoopThread(Generic[T]):
    """Runs one coroutine to its end in a thread. `result` waits for it, and can be interrupted by signals."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._main = main
        self._result: T | None = None
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="haulier-run", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """What the coroutine returned or raised. A signal handler's exception gets through while waiting."""
        while not self._ended.wait(0.2):
            pass  # waiting without a time would hold signals up on some systems
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    @property
    def ended(self) -> bool:
        """Whether the coroutine has come to its end."""
        return self._ended.is_set()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                self._result = runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            self._error = error
        finally:
            self._ended.set()


def carried(sitting: Stoppable[T]) -> T:
    """Carry out a sitting in a thread of its own, so that this works inside a running event loop too."""
    thread = LoopThread(sitting.run)
    try:
        return thread.result()
    except KeyboardInterrupt:
        sitting.stop("interrupted")
        thread.result()
        raise
