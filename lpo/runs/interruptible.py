"""Work during which Ctrl-C is heard."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def interruptible(work: Callable[[], T]) -> T:
    """Return `work()`, or raise what it raises; call it in the main thread.

    Signals are handled between steps of Python in the main thread, and a compiled program is one
    step, which can take hours. So the work runs in a thread of its own; when an interrupt comes
    it is left behind, to end with the process. For work that has nothing to save.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome.result()
