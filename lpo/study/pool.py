"""Tasks over processes; what was finished stays when the study is stopped."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from functools import partial
from typing import Any

Task = Callable[[], str]


def run_tasks(
    function: Callable[..., str],
    arguments: Sequence[tuple[Any, ...]],
    workers: int,
    say: Callable[[str], None],
) -> None:
    """Call `function` with each of `arguments`, and `say` the lines that come back.

    Processes are started afresh (JAX must not be forked). The first error ends it all and is
    raised; tasks that were finished have left their files.
    """
    tasks: list[Task] = [partial(function, *each) for each in arguments]
    if workers == 1 or len(tasks) <= 1:
        for task in tasks:
            say(task())
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = {pool.submit(task) for task in tasks}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    say(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
