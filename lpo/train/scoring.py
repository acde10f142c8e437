"""Scores of every method and rule on every test set, with intervals and paired differences."""

from collections.abc import Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.sharding import Mesh

from lpo import forecast, provision, workload
from lpo.optim import batch_sharding, over_seeds
from lpo.provision import block_interval, block_length, ratio_of_sums, score, seed_interval
from lpo.train.methods import Trained

CHUNK = (
    4096  # windows predicted at a time: bounds memory, and one compiled shape serves every method
)
REFERENCES = (
    "dfl_matched",
    "mean7",
    "mean7_tuned",
    "max7_tuned",
)  # what every method is compared with, pair by pair


class Predictions(NamedTuple):
    """Decision forecasts of one method: test set -> tokens [seeds, n, pairs], with a last axis of
    slots where the task has a horizon.
    """

    method: str
    by_set: dict[str, np.ndarray]


def predict(
    name: str,
    trained: Trained,
    problem: workload.Problem,
    task: provision.Task,
    mesh: Mesh | None = None,
) -> Predictions:
    """Forecasts of a trained method on all test sets, dropout off; windows split over `mesh`."""
    shard, devices = batch_sharding(mesh), 1 if mesh is None else mesh.size
    size = -(-CHUNK // devices) * devices
    windows = np.concatenate(list(problem.tests.values()))
    count = len(windows)
    chunks = np.pad(windows, ((0, -count % size), (0, 0))).reshape(-1, size, windows.shape[1])

    def one_seed(params, chunks):
        def one_chunk(chunk):
            history, _ = workload.pairs(shard(chunk), problem.layout)
            outputs = trained.forecaster.apply(params, history)
            return forecast.decision_forecast(trained.forecaster.head, outputs, task.fractile)

        return jax.lax.map(one_chunk, chunks)

    seeds = over_seeds(one_seed, (0, None), trained.one_by_one)
    outputs = jax.jit(seeds)(trained.params, jnp.asarray(chunks))
    values = np.asarray(outputs, np.float64)  # [seeds, chunks, CHUNK, pairs, slots if any]
    flat = values.reshape(values.shape[0], -1, *values.shape[3:])[:, :count]
    ends = np.cumsum([len(x) for x in problem.tests.values()])
    parts = np.split(flat, ends[:-1], axis=1)
    return Predictions(name, dict(zip(problem.tests, parts, strict=True)))


def predict_rules(
    problem: workload.Problem,
    task: provision.Task,
    seeds: int,
    names: Collection[str] = forecast.RULES,
) -> list[Predictions]:
    """Forecasts of the rules that apply, fitted on the train part; the same for every seed.

    Where a decision is an optimisation problem they are fitted on training windows as far apart
    as the scored ones, whose slots are disjoint. A test set without a clock has no known times.
    """
    apart = 1 if task.horizon is None else problem.protocol.test_stride
    clocks = problem.clocks
    rules = forecast.fit_rules(
        *workload.pairs(problem.train[::apart], problem.layout),
        cost=task.cost,
        decide=task.decide,
        names=names,
        fractile=task.fractile,
        train_clock=None if clocks is None else clocks.train[::apart],
    )
    predictions = []
    for rule in rules:
        by_set = {}
        for name, windows in problem.tests.items():
            pairs = workload.pairs(windows.astype(np.float64), problem.layout)
            clock = None if clocks is None else clocks.tests.get(name)
            values = np.asarray(rule.predict(*pairs, clock))
            by_set[name] = np.broadcast_to(values, (seeds, *values.shape))
        predictions.append(Predictions(rule.name, by_set))
    return predictions


def score_name(task: provision.Task) -> str:
    """The column of the regret table that a task is judged by."""
    return "nr_pooled" if task.normalised else "cost_per_token"


def regret_table(
    predictions: list[Predictions],
    problem: workload.Problem,
    task: provision.Task,
    seeds: list[int],
) -> pd.DataFrame:
    """One row a method, test set and seed: the fields of `lpo.provision.Score`."""
    rows = []
    for prediction in predictions:
        for test_set, values in prediction.by_set.items():
            _, target = workload.pairs(problem.tests[test_set], problem.layout)
            for seed, forecasts in zip(seeds, values, strict=True):
                result = score(task, forecasts, target)
                rows.append(
                    {"method": prediction.method, "test_set": test_set, "seed": seed}
                    | result._asdict()
                )
    return pd.DataFrame(rows)


def summary_metrics(
    table: pd.DataFrame, task: provision.Task, own: str, method: str
) -> dict[str, float]:
    """Scores of every method on its own test part and over the shifted sets, means over seeds.

    `regret/<method>/own`, `/average` and `/worst`: over all shifted sets; `/average_large` and
    `/worst_large`: over those of at least `FEW_WINDOWS` windows, because a few windows of a tiny
    series can decide an average over sets. The experiment's `method` also has them as
    `regret/<part>`. Metrics of shifted sets are absent where there are none.
    """
    metrics: dict[str, float] = {}
    large = set(table.loc[table["n_windows"] >= workload.FEW_WINDOWS, "test_set"])
    for name, rows in table.groupby("method", sort=False):
        scores = rows.pivot(index="seed", columns="test_set", values=score_name(task)).astype(float)
        parts = {"own": float(scores.pop(own).to_numpy().mean())}
        for suffix, chosen in (("", scores), ("_large", scores[[s for s in scores if s in large]])):
            if chosen.columns.size:
                parts[f"average{suffix}"] = float(chosen.to_numpy().mean())
                parts[f"worst{suffix}"] = float(chosen.to_numpy().max(axis=1).mean())
        metrics |= {f"regret/{name}/{part}": value for part, value in parts.items()}
        if name == method:
            metrics |= {f"regret/{part}": value for part, value in parts.items()}
    return metrics


def interval_tables(
    predictions: list[Predictions], problem: workload.Problem, task: provision.Task
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(intervals, paired differences) of the task's score; negative differences favour the method.

    `seed_*`: t-interval over seeds; `window_*`: moving-block bootstrap over windows of the mean
    over seeds. Columns are in the score's unit.
    """
    block = block_length(problem.layout.window, problem.protocol.test_stride)
    intervals, paired = [], []
    for test_set, windows in problem.tests.items():
        unit = score_unit(windows, problem, task)
        excess = {
            each.method: window_regret(each.by_set[test_set], windows, problem, task)
            for each in predictions
        }
        for method, mine in excess.items():
            intervals.append(
                {"method": method, "test_set": test_set} | estimate("mean", mine, unit, block)
            )
            paired += [
                {"method": method, "reference": reference, "test_set": test_set}
                | estimate("difference", mine - excess[reference], unit, block)
                for reference in REFERENCES
                if reference in excess and reference != method
            ]
    return pd.DataFrame(intervals), pd.DataFrame(paired)


def window_regret(
    forecasts: np.ndarray, windows: np.ndarray, problem: workload.Problem, task: provision.Task
) -> np.ndarray:
    """Regret of forecasts [seeds, n, pairs(, slots)] on windows [n, window], [seeds, n]."""
    _, target = workload.pairs(windows.astype(np.float64), problem.layout)
    values = np.asarray(forecasts, np.float64)
    return np.asarray(provision.regret(task, values, target)).sum(-1)


def score_unit(windows: np.ndarray, problem: workload.Problem, task: provision.Task) -> np.ndarray:
    """What regret is divided by in the task's score, window by window: [n]."""
    _, target = workload.pairs(windows.astype(np.float64), problem.layout)
    if not task.normalised:
        return target.sum(axis=tuple(range(1, target.ndim)))
    return np.abs(np.asarray(task.cost(task.optimum(target), target)).sum(-1))


def estimate(name: str, excess: np.ndarray, unit: np.ndarray, block: int) -> dict[str, float]:
    """Mean over seeds of the ratio of sums of excess [seeds, n] and unit [n]; both intervals."""
    by_seed = ratio_of_sums(excess, unit)
    over_seeds = seed_interval(by_seed)
    over_windows = block_interval(excess.mean(axis=0), unit, block=block)
    return {
        name: float(by_seed.mean()),
        "seed_low": over_seeds.low,
        "seed_high": over_seeds.high,
        "window_low": over_windows.low,
        "window_high": over_windows.high,
    }
