"""Tasks over processes; what was finished stays when the study is stopped.

Imports nothing that takes time: every process imports this first.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any


def run_tasks(
    function: Callable[..., str],
    arguments: Sequence[tuple[Any, ...]],
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Call `function` with each of `arguments`, and `say` the lines that come back.

    A single task, or a single worker, needs no other process. Processes are started afresh (JAX
    must not be forked). The first error ends all of them at once and is raised, an interrupt too;
    tasks that were finished have left their files.
    """
    if workers == 1 or len(arguments) <= 1:
        for each in arguments:
            say(function(*each))
        return
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_live_by, initargs=(lifeline,)
    )
    try:
        with _interrupts_later():
            futures = [pool.submit(function, *each) for each in arguments]
        for done in as_completed(futures):
            say(done.result())
    except BaseException:
        held.close()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        held.close()
        lifeline.close()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back; processes that start meanwhile never see it, and leave it to this one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live_by(lifeline: Connection) -> None:
    """End this process, whatever it does, when the other end of `lifeline` is closed.

    The main process closes it to stop the others, and so does its death.
    """

    def wait() -> None:
        with suppress(EOFError, OSError):
            lifeline.recv_bytes()
        os._exit(1)

    Thread(target=wait, daemon=True).start()
