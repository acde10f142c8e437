"""Linear quantile regression, solved exactly, and the autoregression of log demand built on it.

Koenker and Bassett, "Regression quantiles", Econometrica 46 (1978). docs/forecast.md.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import linprog

from lpo.errors import InputError
from lpo.workload import evenly

ORDER = 7  # inputs of the autoregression, as many as the rules of recent demand look at
FLOOR = 0.01  # of the mean target: the least demand that a logarithm is taken of
MOST_PAIRS = 5000  # that a regression is fitted on, evenly spaced


def quantile_regression(features: np.ndarray, target: np.ndarray, level: float) -> np.ndarray:
    """Coefficients [k] that minimise sum_i pinball(target_i - features_i coefficients).

    features: [n, k]; a constant among them is the caller's to add. target: [n]. level in (0, 1):
    pinball(e) = max(level e, (level - 1) e). Solves the dual linear program,

        max_d target'd  subject to  features'd = 0,  level - 1 <= d <= level,

    whose k multipliers are the coefficients: far fewer rows than the primal, which has n. Where
    several coefficients are best, one of them. Raises InputError on numbers that are not finite.
    """
    if not (np.isfinite(features).all() and np.isfinite(target).all()):
        raise InputError("`features` and `target` of a regression must be finite.")
    result = linprog(
        -target, A_eq=features.T, b_eq=np.zeros(features.shape[1]), bounds=(level - 1, level)
    )
    if result.status != 0:
        raise InputError(f"quantile regression was not solved: {result.message}")
    return -result.eqlin.marginals


def fit_linear_quantile(
    history: np.ndarray, target: np.ndarray, level: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Return history [..., context] -> exp(b_0 + sum_i b_i log x_i) over the last `ORDER` inputs.

    The coefficients are those of the quantile regression of log target on log inputs at `level`,
    on at most `MOST_PAIRS` pairs of history [..., context >= ORDER] and target [...]. Quantiles
    pass through the logarithm, so the forecast is a quantile of the demand itself. Demand below
    `FLOOR` times the mean target counts as that, for an empty bin has no logarithm.
    """
    floor = FLOOR * float(target.mean())

    def logs(history: np.ndarray) -> np.ndarray:
        recent = np.log(np.maximum(history[..., -ORDER:], floor))
        return np.concatenate([np.ones((*recent.shape[:-1], 1)), recent], axis=-1)

    chosen = evenly(target.size, MOST_PAIRS)
    pairs = history.reshape(-1, history.shape[-1])[chosen]
    coefficients = quantile_regression(
        logs(pairs), np.log(np.maximum(target.reshape(-1)[chosen], floor)), level
    )
    return lambda history: np.exp(logs(history) @ coefficients)
