"""A command of a few lines on the shell of `lpo.runs`, run by `tests/runs/test_command.py`."""

import os
import signal
import sys
import time
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

from lpo.errors import InputError
from lpo.runs import CommandConfig, Infeasible, run_command

CONF = Path(__file__).parent / "conf"
Act = Enum("Act", ["add", "fail", "refuse", "give_up", "stop", "die"])


@dataclass
class ShapeConfig:
    name: str = "square"
    side: float = 1.0
    corners: int = 4


@dataclass
class ToyConfig(CommandConfig):
    command: str = "toy"
    act: Act = Act.add
    shape: ShapeConfig = field(default_factory=ShapeConfig)


def validate(cfg):
    if cfg.shape.side <= 0:
        raise InputError(f"shape.side: {cfg.shape.side} given; allowed: > 0")


def job(cfg, folder):
    folder.record(timings_s={"begin": 0.5})
    match cfg.act:
        case Act.fail:
            raise FloatingPointError("a number is not finite\nin step 3")
        case Act.refuse:
            raise InputError("trace.csv, row 3, column tokens: -1 given; allowed: >= 0")
        case Act.give_up:
            raise Infeasible("4 GPUs cannot serve 9 requests/s", conflict=["GPUs"])
        case Act.stop:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)
        case Act.die:
            os.kill(os.getpid(), signal.SIGKILL)
    return {"metrics": {"area": cfg.shape.side**2 + cfg.seed, "none": float("nan")}}


if __name__ == "__main__":
    sys.path.insert(0, str(CONF.parent))
    toy = import_module("toy_command")  # pickled by name, as the job of an installed command
    with patch("lpo.runs.command.find_conf", lambda: CONF):
        run_command("toy", toy.ToyConfig, toy.validate, toy.job)
