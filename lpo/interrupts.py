"""Ctrl-C while a command is still loading. Imports nothing that takes time."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # exit code


@contextmanager
def loading(command: str) -> Iterator[None]:
    """End the process with one line and exit code 130 on Ctrl-C, without a traceback of imports.

    For the imports of a `__main__`, while there is nothing to clean up. (A KeyboardInterrupt could
    be swallowed there: some extension modules make an ImportError of it.)
    """
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
