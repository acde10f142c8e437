"""The numbers behind the pictures: spread over seeds, quantile bands over windows."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t as student

BANDS = ((0.05, 0.95), (0.25, 0.75))  # quantiles of the windows
POINTS = 300  # of a training curve: more cannot be seen


def mean_interval(table: pd.DataFrame, keys: list[str], score: str) -> pd.DataFrame:
    """Mean of `score` over the rows of each group, with its two-sided 95 % t-interval.

    Returns `keys`, `mean`, `half` (half its width; 0 with one seed), `n`, in order of appearance.
    """
    groups = table.groupby(keys, sort=False)[score].agg(["mean", "std", "count"]).reset_index()
    n = groups["count"].to_numpy()
    factor = student.ppf(0.975, np.maximum(n - 1, 1)) / np.sqrt(np.maximum(n, 1))
    half = np.where(n > 1, groups["std"].to_numpy() * factor, 0.0)
    return groups[[*keys, "mean"]].assign(half=half, n=n)


def interval_means(table: pd.DataFrame, rows: str, groups: str, value: str) -> pd.DataFrame:
    """Means by (`rows`, `groups`) of `value` and of its interval's ends, as `low` and `high`.

    The ends are the columns `<prefix>_low` and `<prefix>_high`, prefix the first word of `value`.
    """
    prefix = value.partition("_")[0]
    columns = {"mid": value, "low": f"{prefix}_low", "high": f"{prefix}_high"}
    means: pd.DataFrame = table.groupby([rows, groups], sort=False, as_index=False).agg(
        **{name: (column, "mean") for name, column in columns.items()}
    )
    return means.rename(columns={"mid": value})


class Curve(NamedTuple):
    """One metric of one stage: median, least and greatest value over seeds, each [points]."""

    stage: str
    step: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def curves(metrics: pd.DataFrame, name: str) -> list[Curve]:
    """The curves of the metric `name`, one a stage, from the long form of `metrics.parquet`.

    Long trainings are reduced to about `POINTS` points: neighbouring steps are taken together.
    """
    rows = metrics[metrics["name"] == name]
    found = []
    for stage, group in rows.groupby("stage", sort=False):
        first, last = group["step"].min(), group["step"].max()
        width = max(1, (last - first + 1) // POINTS)
        point = first + (group["step"] - first) // width * width
        by_step = group.assign(step=point).groupby("step")["value"].agg(["median", "min", "max"])
        median, low, high = by_step.to_numpy().T
        found.append(Curve(str(stage), by_step.index.to_numpy(), median, low, high))
    return found


def wide_range(values: np.ndarray, ratio: float = 30.0) -> bool:
    """Whether a logarithmic axis serves: all positive, greatest over least above `ratio`."""
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > ratio * values.min())
