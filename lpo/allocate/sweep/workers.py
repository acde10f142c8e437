"""This process and a few others that do one function on tasks, and can be stopped at any time."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from queue import SimpleQueue
from threading import Thread
from types import ModuleType
from typing import Any

AHEAD = 2  # tasks of another process: the one that it does, and the next


class WorkerDied(RuntimeError):
    """A process ended without an answer: killed, or out of memory."""


def usable_cores() -> int:
    """Cores that this process may use; 1 in a process that may start no others."""
    if multiprocessing.current_process().daemon:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Processes that hold `state` and answer `function(state, task)`.

    This process is one of them: it works while it would wait. Others begin with `start`, and get
    tasks only once they are ready, which takes them about a second.
    """

    def __init__(self, function: Callable[[Any, Any], Any], state: Any, count: int):
        self._function, self._state = function, state
        self._own: tuple[Any, Any] | None = None
        self._names: dict[Any, list[Any]] = {}
        self._starting: list[Any] = []
        self._processes: list[Any] = []
        self._others = count - 1

    def start(self) -> None:
        """Start the other processes; a second call does nothing."""
        context = multiprocessing.get_context("spawn")
        arguments = self._function, self._state
        with _without_main():
            for _ in range(self._others):
                here, there = context.Pipe()
                process: Any = context.Process(target=_serve, args=(there, *arguments), daemon=True)
                process.start()
                there.close()
                self._processes.append(process)
                self._starting.append(here)
        self._others = 0

    @property
    def busy(self) -> bool:
        """Whether an answer is to come."""
        return self._own is not None or any(self._names.values())

    @property
    def ready(self) -> int:
        """How many other processes have started so far."""
        self._receive_ready()
        return len(self._names)

    @property
    def idle(self) -> bool:
        """Whether a task can be given."""
        self._receive_ready()
        return self._own is None or any(len(names) < AHEAD for names in self._names.values())

    def give(self, name: Any, task: Any) -> None:
        """Hand out a task, called `name`; there must be an idle process."""
        pipe = min(self._names, key=lambda pipe: len(self._names[pipe]), default=None)
        if pipe is not None and (not self._names[pipe] or self._own is not None):
            self._names[pipe].append(name)
            pipe.send(task)
        else:
            self._own = (name, task)

    def answer(self) -> tuple[Any, Any]:
        """Wait for an answer, or work one out; return the name of its task and the answer.

        Raises what the function raised, and WorkerDied.
        """
        ready = wait(list(self._names), 0.0 if self._own is not None else None)
        if not ready:
            assert self._own is not None
            (name, task), self._own = self._own, None
            return name, self._function(self._state, task)
        pipe: Any = ready[0]
        worked, value = self._received(pipe)
        name = self._names[pipe].pop(0)
        if not worked:
            raise value
        return name, value

    def stop(self) -> None:
        """End the other processes, whatever they are doing."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
        for pipe in (*self._starting, *self._names):
            pipe.close()

    def _receive_ready(self) -> None:
        for pipe in wait(self._starting, 0.0):
            self._received(pipe)
            self._starting.remove(pipe)
            self._names[pipe] = []

    def _received(self, pipe: Any) -> Any:
        try:
            return pipe.recv()
        except (EOFError, ConnectionResetError):
            raise WorkerDied("a process ended without an answer") from None


@contextmanager
def some_workers(function: Callable[[Any, Any], Any], state: Any, count: int) -> Iterator[Workers]:
    """At most `count` processes, this one among them; the others end with the block.

    function: of a module, because it goes to the processes by its name. An interrupt reaches this
    process alone, which ends the others.
    """
    pool = Workers(function, state, count)
    try:
        yield pool
    finally:
        pool.stop()


def _serve(pipe: Any, function: Callable[[Any, Any], Any], state: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks: SimpleQueue[Any] = SimpleQueue()

    def receive() -> None:
        # A thread takes tasks at once: were the pipe full at both ends, both would wait for ever.
        try:
            while True:
                tasks.put((pipe.recv(),))
        except (EOFError, OSError):  # nothing more is wanted
            tasks.put(None)

    Thread(target=receive, daemon=True).start()
    try:
        pipe.send("ready")
        while (task := tasks.get()) is not None:
            try:
                answer = (True, function(state, task[0]))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)
    except OSError:
        return


@contextmanager
def _without_main() -> Iterator[None]:
    """Let new processes not import the script that runs: they need none of it, and it is slow."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
