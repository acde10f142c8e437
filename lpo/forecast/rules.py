"""Reference rows: rules that learn nothing, and two classical fits, on the training part only.

A learned method that does not beat the mean of 7 has learned nothing useful. docs/forecast.md.
"""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import minimize_scalar

from lpo.errors import InputError
from lpo.forecast.quantile_regression import fit_linear_quantile
from lpo.forecast.time_of_day import fit_time_of_day

RECENT = 7  # inputs of the mean and maximum rules, the input length of the 3D-Learning paper
RULES = (
    "oracle",
    "last",
    "mean7",
    "max7",
    "mean7_tuned",
    "max7_tuned",
    "constant",
    "constant_mean",
    "exp_smoothing",
    "linear_quantile",
    "time_of_day",
)
CANDIDATES = 33  # grid points of the one-dimensional search before its refinement

Array: TypeAlias = Any  # NumPy or JAX
Predict: TypeAlias = Callable[[Array, Array], Array]


class Rule(NamedTuple):
    """A named rule: predict(history [..., context], target [...], clock) -> forecast [...], tokens.

    Only the oracle reads the target. Where targets have an axis of slots, [..., horizon], the
    forecast has it too and is the same for every slot, the oracle's excepted. clock: second of day
    of each target, NaN where unknown, None (as when left out) where all are; only time_of_day
    reads it.
    """

    name: str
    predict: Callable[..., Array]


def applicable_rules(*, slots: bool, fractile: float | None, clock: bool) -> list[str]:
    """Names of the rules there are for a task, in the order of `RULES`.

    Those of a quantile need targets without slots and a fractile, the one by time of day also that
    the time is known.
    """
    quantiles = fractile is not None and not slots
    there = {"linear_quantile": quantiles, "time_of_day": quantiles and clock}
    return [name for name in RULES if there.get(name, True)]


def fit_rules(
    train_history: np.ndarray,
    train_target: np.ndarray,
    *,
    cost: Callable[[Array, Array], Array],
    decide: Callable[[Array], Array],
    names: Collection[str] = RULES,
    fractile: float | None = None,
    train_clock: np.ndarray | None = None,
) -> list[Rule]:
    """Return rules, those with a parameter tuned to the least total cost on the training part.

    train_history: [..., context] tokens, context >= 7; train_target: [...] tokens, or
    [..., horizon] for decisions over several slots. cost: (capacity, demand) -> cost and decide:
    forecast -> capacity, of the decision task, on NumPy arrays; each pair's cost must be least
    where the forecast meets the target, as for any plug-in optimum. names: the rules wanted, in the
    order of `RULES` whatever theirs; only these are tuned. fractile: the level of demand that the
    best capacity covers, None where the task has none. train_clock: second of day of each target.

    oracle: the target. last: the last input. mean7, max7: of the last 7 inputs. mean7_tuned,
    max7_tuned: the same times the best factor. constant: the best constant. constant_mean: the
    training mean. exp_smoothing: exponential smoothing over the context with the best rate.
    linear_quantile: quantile autoregression of log demand. time_of_day: quantile by hour. These two
    are left out where targets have slots or the task has no fractile, time_of_day also without a
    `train_clock`.

    Raises InputError on a context below 7, mismatched shapes, or training data without demand.
    """
    history = np.asarray(train_history, np.float64)
    target = np.asarray(train_target, np.float64)
    slots = target.ndim == history.ndim
    pairs = target.shape[:-1] if slots else target.shape
    if history.shape[:-1] != pairs or history.shape[-1] < RECENT:
        raise InputError(
            f"`train_history` must be [..., context >= {RECENT}] and `train_target` [...] or "
            "[..., horizon], "
            f"got {history.shape} and {target.shape}."
        )
    if train_clock is not None and train_clock.shape != target.shape:
        raise InputError(
            "`train_clock` must have the shape of `train_target`, "
            f"got {train_clock.shape} and {target.shape}."
        )
    if not (history.any() and target.any()):
        raise InputError("the training part must have demand, it is zero throughout.")

    def total_cost(forecast: np.ndarray) -> float:
        return float(np.sum(cost(decide(forecast), target)))

    def forecast(predict: Predict) -> Predict:
        return _every_slot(predict) if slots else predict

    def scaled(predict: Predict) -> Predict:
        factor = best_factor(forecast(predict)(history, target), target, total_cost)
        return lambda history, target: factor * predict(history, target)

    def smoothing() -> Predict:
        rate = refined_minimum(
            lambda rate: total_cost(forecast(exp_smoothing(rate))(history, target)),
            np.linspace(0.0, 1.0, CANDIDATES),
        )
        return exp_smoothing(rate)

    fits: dict[str, Callable[[], Predict]] = {
        "last": lambda: lambda history, target: history[..., -1],
        "mean7": lambda: mean7,
        "max7": lambda: max7,
        "mean7_tuned": lambda: scaled(mean7),
        "max7_tuned": lambda: scaled(max7),
        "constant": lambda: _constant(best_factor(np.ones_like(target), target, total_cost)),
        "constant_mean": lambda: _constant(float(target.mean())),
        "exp_smoothing": smoothing,
    }
    there = applicable_rules(slots=slots, fractile=fractile, clock=train_clock is not None)
    wanted = set(names) & set(there)
    if fractile is not None and "linear_quantile" in wanted:
        fits["linear_quantile"] = lambda: _of_history(
            fit_linear_quantile(history, target, fractile)
        )
    rules = [
        Rule(name, _clockless(forecast(fit()))) for name, fit in fits.items() if name in wanted
    ]
    if "oracle" in wanted:
        rules.insert(0, Rule("oracle", _clockless(lambda history, target: target)))
    if fractile is not None and train_clock is not None and "time_of_day" in wanted:
        by_hour = fit_time_of_day(train_clock, target, fractile)
        rules.append(Rule("time_of_day", _by_clock(by_hour)))
    return rules


def mean7(history: Array, target: Array) -> Array:
    """Mean of the last 7 inputs."""
    del target
    return history[..., -RECENT:].mean(axis=-1)


def max7(history: Array, target: Array) -> Array:
    """Maximum of the last 7 inputs."""
    del target
    return history[..., -RECENT:].max(axis=-1)


def exp_smoothing(rate: float) -> Predict:
    """Weights (1 - rate)^age over the context, normalised: rate 1 is `last`, rate 0 the mean."""

    def predict(history: Array, target: Array) -> Array:
        del target
        ages = np.arange(history.shape[-1])[::-1]
        weights = (1.0 - rate) ** ages
        return history @ (weights / weights.sum())

    return predict


def _of_history(predict: Callable[[Array], Array]) -> Predict:
    return lambda history, target: predict(history)


def _clockless(predict: Predict) -> Callable[..., Array]:
    return lambda history, target, clock=None: predict(history, target)


def _by_clock(predict: Callable[[Array], Array]) -> Callable[..., Array]:
    return lambda history, target, clock=None: predict(
        np.full(history.shape[:-1], np.nan) if clock is None else clock
    )


def _every_slot(predict: Predict) -> Predict:
    """The forecast of one slot for each slot of the target [..., horizon]."""
    return lambda history, target: np.broadcast_to(
        np.asarray(predict(history, target))[..., None], target.shape
    )


def _constant(value: float) -> Predict:
    return lambda history, target: np.full(history.shape[:-1], value)


def best_factor(
    base: np.ndarray, target: np.ndarray, total_cost: Callable[[np.ndarray], float]
) -> float:
    """Return the factor that minimises total_cost(factor * base).

    Each pair's cost falls until its forecast meets the target and rises after, so the best factor
    lies among the ratios target / base; their quantiles are the grid. (With several slots, whose
    decisions are coupled, that range is a good place to search and no more.) Under a pinball cost
    it is a quantile of the ratios weighted by base (docs/forecast.md), which the tests compare.
    Raises InputError when base is zero throughout.
    """
    positive = base > 0
    if not positive.any():
        raise InputError("the training inputs of a rule must have demand, they are all zero.")
    ratios = target[positive] / base[positive]
    grid = np.unique(np.quantile(ratios, np.linspace(0.0, 1.0, CANDIDATES)))
    return refined_minimum(lambda factor: total_cost(factor * base), grid)


def refined_minimum(function: Callable[[float], float], grid: np.ndarray) -> float:
    """Return an argmin: the best point of an ascending grid, refined between its neighbours.

    The refinement is Brent's bounded search, exact where the function is unimodal there.
    """
    values = np.array([function(float(x)) for x in grid])
    best = int(values.argmin())
    lo, hi = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
    if lo == hi:
        return lo
    refined = minimize_scalar(
        function, bounds=(lo, hi), method="bounded", options={"xatol": 1e-7 * max(abs(hi), 1e-300)}
    )
    return float(refined.x) if refined.fun < values[best] else float(grid[best])
