"""Tasks over processes: what is left when one fails, or when the user stops them."""

import os
import signal
import subprocess
import sys

import pytest

from lpo.study.pool import run_tasks

SLEEPERS = """
import time
from lpo.study.pool import run_tasks
if __name__ == "__main__":
    run_tasks(time.sleep, [(0,), (0,), (1000,), (1000,)], 2, lambda line: print("one", flush=True))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_and_its_line_said(workers):
    said = []
    run_tasks(str.upper, [("a",), ("b",), ("c",)], workers, said.append)
    assert sorted(said) == ["A", "B", "C"]


def test_an_error_is_raised_and_finished_tasks_leave_their_files(tmp_path):
    files = [tmp_path / "first", tmp_path / "second"]
    touch = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    fail = (
        "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)"
    )
    tasks = [[sys.executable, "-c", touch, str(path)] for path in files]
    tasks.append([sys.executable, "-c", f"{fail}\nsys.exit(3)", str(files[1])])
    with pytest.raises(subprocess.CalledProcessError) as error:
        run_tasks(subprocess.check_output, [(task,) for task in tasks], 2, lambda line: None)
    assert error.value.returncode == 3
    assert files[1].exists()


@pytest.mark.parametrize("stop", ["terminal", "main process"])
def test_a_stopped_study_leaves_no_process(stop):
    """Ctrl-C reaches every process of a terminal; a kill only the main one."""
    main = subprocess.Popen(
        [sys.executable, "-c", SLEEPERS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert main.stdout is not None
    assert [main.stdout.readline() for _ in range(2)] == ["one\n"] * 2
    if stop == "terminal":
        os.killpg(main.pid, signal.SIGINT)
    else:
        main.kill()
    # the pipes close when the last process that holds them has ended
    _, error = main.communicate(timeout=300)
    assert main.returncode == (-signal.SIGINT if stop == "terminal" else -signal.SIGKILL)
    assert error.count("Traceback") == (stop == "terminal"), error
