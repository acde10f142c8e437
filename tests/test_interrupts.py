"""Ctrl-C while a command loads."""

import signal
import subprocess
import sys

from lpo.interrupts import loading

LOADS = """
import os, signal
from lpo.interrupts import loading
with loading("toy"):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        pass  # what an extension module may do with it
    print("went on")
"""


def test_an_interrupt_while_loading_is_one_line():
    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "lpo.toy: interrupted\n"


def test_afterwards_interrupts_are_as_before():
    before = signal.getsignal(signal.SIGINT)
    with loading("toy"):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
