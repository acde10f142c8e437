"""Work in a thread of its own."""

import os
import signal
from functools import partial
from threading import Event, Timer

import pytest

from lpo.errors import InputError
from lpo.runs import interruptible


def test_what_the_work_returns_and_raises_comes_through():
    def refuse():
        raise InputError("no")

    assert interruptible(partial(sum, [1, 2])) == 3
    with pytest.raises(InputError, match="no"):
        interruptible(refuse)


def test_an_interrupt_does_not_wait_for_the_work():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored here
    never = Event()
    timer = Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            interruptible(never.wait)
    finally:
        never.set()
        signal.signal(signal.SIGINT, before)
