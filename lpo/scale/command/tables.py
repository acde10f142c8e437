"""Tables of curves and of what was chosen."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.scale.command.question import Question
from lpo.scale.curves import Curves, Estimate


def curve_table(asked: Question, curves: Curves, feasible: np.ndarray) -> pd.DataFrame:
    """One row a scenario, model, parallelism and k; feasible [s, m, p, K]."""
    shape = feasible.shape
    keys = ("scenario", "model", "parallel", "k")
    names = (asked.scenarios, asked.models.names, asked.parallel, asked.k)
    axes = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    columns: dict[str, Any] = {
        key: np.asarray(values)[axis.ravel()]
        for key, values, axis in zip(keys, names, axes, strict=True)
    }
    for name, estimate in (
        ("cost_usd", curves.cost),
        ("time_s", curves.time),
        ("accuracy", curves.accuracy),
    ):
        for ending, values in _parts(estimate):
            full = np.broadcast_to(np.asarray(values), shape[1:])
            columns[f"{name}{ending}"] = np.broadcast_to(full, shape).ravel()
    columns["feasible"] = feasible.ravel()
    if curves.met is not None and curves.trials is not None:
        columns["chance"] = np.asarray(curves.met).ravel() / curves.trials
    return pd.DataFrame(columns)


def _parts(estimate: Estimate) -> list[tuple[str, Any]]:
    parts = [("", estimate.mean), ("_sd", estimate.sd), ("_sem", estimate.sem)]
    if estimate.low is not None:
        parts += [("_low", estimate.low), ("_high", estimate.high)]
    return parts
