"""Tables of curves and of what was chosen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lpo.scale.command.question import Question
from lpo.scale.curves import Curves, Estimate, confidence
from lpo.scale.select import Chance

LEVEL = 0.95
"""Of the confidence intervals of simulated means, and of the Wilson intervals of chances."""


def curve_table(
    asked: Question, curves: Curves, feasible: np.ndarray, chance: Chance | None = None
) -> pd.DataFrame:
    """One row a scenario, model, parallelism and k; feasible, and leaves of chance, [s, m, p, K].

    Columns are those of `Estimate`, `mean_intervals` and `chances`.
    """
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
        parts = {f"{name}{ending}": values for ending, values in _parts(estimate)}
        for column, values in (parts | mean_intervals(curves, {name: estimate})).items():
            full = np.broadcast_to(np.asarray(values), shape[1:])
            columns[column] = np.broadcast_to(full, shape).ravel()
    columns["feasible"] = feasible.ravel()
    columns |= {name: values.ravel() for name, values in chances(chance, ...).items()}
    return pd.DataFrame(columns)


def mean_intervals(curves: Curves, of: Mapping[str, Estimate]) -> dict[str, np.ndarray]:
    """Return confidence intervals of means by column, `<name>_mean_low` and `<name>_mean_high`.

    of: estimates of the curves, or of some of their points, by name. At `LEVEL`; equal to the mean
    where that is exact, NaN where its standard error is not known (costs of slots). No columns
    where all of the curves is exact.
    """
    every = (curves.cost, curves.time, curves.accuracy)
    if curves.trials is None or not any(np.any(each.sem) for each in every):
        return {}
    columns = {}
    for name, estimate in of.items():
        ends = confidence(estimate, curves.trials, LEVEL)
        columns |= {
            f"{name}_mean_{end}": values for end, values in zip(("low", "high"), ends, strict=True)
        }
    return columns


def chances(chance: Chance | None, at: Any) -> dict[str, np.ndarray]:
    """Return the chance to keep all limits at an index into [s, m, p, K], and its Wilson interval
    at `LEVEL`, by column; no columns where means count."""
    if chance is None:
        return {}
    parts = {"chance": chance.share, "chance_low": chance.low, "chance_high": chance.high}
    return {name: values[at] for name, values in parts.items()}


def _parts(estimate: Estimate) -> list[tuple[str, Any]]:
    parts = [("", estimate.mean), ("_sd", estimate.sd), ("_sem", estimate.sem)]
    if estimate.low is not None:
        parts += [("_low", estimate.low), ("_high", estimate.high)]
    return parts
