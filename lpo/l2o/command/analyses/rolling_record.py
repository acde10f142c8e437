"""What a rolling run has solved so far, on disk: a line of JSON a solve, with its plan."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.atomic import write_text
from lpo.l2o.warm.rolling import Solve

SOLVES = "solves.jsonl"
"""The file, in the run folder."""
_MAY_BE_MISSING = ("start_usd", "bound", "gap")


def append(path: Path, solve: Solve, plan: Allocation) -> None:
    """Add a solve, and push it to the disk."""
    line = json.dumps(_plain(solve) | {"plan": _sparse(plan)}, allow_nan=False)
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, shape: tuple[int, ...]) -> list[tuple[Solve, Allocation]]:
    """Return the solves so far, none without a file; shape: [I, J, K, N] of the instance.

    A last line that a killed process left unfinished is taken out of the file.
    """
    if not path.is_file():
        return []
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(True) if line[-1] == "\n"]
    write_text(path, "".join(whole))
    return [_read(json.loads(line), shape) for line in whole]


def _plain(solve: Solve) -> dict[str, Any]:
    plain = solve._asdict()
    for name in _MAY_BE_MISSING:
        plain[name] = None if math.isnan(plain[name]) else plain[name]
    return plain


def _sparse(plan: Allocation) -> dict[str, Any]:
    """Of each array what is not 0: places, then values."""
    parts = {}
    for name, array in plan._asdict().items():
        places = np.argwhere(array)
        parts[name] = [places.tolist(), array[tuple(places.T)].tolist()]
    return parts


def _read(given: dict[str, Any], shape: tuple[int, ...]) -> tuple[Solve, Allocation]:
    plan = given.pop("plan")
    for name in _MAY_BE_MISSING:
        given[name] = math.nan if given[name] is None else given[name]
    given["incumbents"] = tuple((seconds, usd) for seconds, usd in given["incumbents"])
    arrays = Allocation(np.zeros(shape[1:], np.int64), np.zeros(shape), np.zeros(shape[:1]))
    for name, array in arrays._asdict().items():
        places, values = plan[name]
        if values:
            array[tuple(np.array(places).T)] = values
    return Solve(**given), arrays
