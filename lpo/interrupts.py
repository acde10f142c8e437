"""How a command loads: Ctrl-C is heard, nothing is collected. Imports nothing that takes time."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # exit code

_COLLECT = 50_000, 20, 20
"""Objects made between collections, and young ones between older ones (Python's: 700, 10, 10):
tracing and compiling make millions that stay."""


@contextmanager
def loading(command: str) -> Iterator[None]:
    """End the process with one line and exit code 130 on Ctrl-C, without a traceback of imports.

    For the imports of a `__main__`, while there is nothing to clean up. (A KeyboardInterrupt could
    be swallowed there: some extension modules make an ImportError of it.)

    What is loaded stays, so that looking through it for garbage, as Python does all the time while
    objects are made, is in vain: a sixth of a short command's time. Later collections leave it out.
    """
    gc.disable()
    try:
        with _leaving(command):
            yield
    finally:
        gc.freeze()
        gc.set_threshold(*_COLLECT)
        gc.enable()


@contextmanager
def _leaving(command: str) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return

    def leave(number: int, frame: object) -> None:
        os.write(2, f"lpo.{command}: interrupted\n".encode())
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
