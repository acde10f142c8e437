"""How far generated windows are from real ones. numpy, float64; evaluation only.

Windows are [n, N] arrays. Give both sides in one unit (standardised by the train scaler): only
`minmax_wasserstein1` and `two_sample_auc` do not depend on it. Why there is no image metric here:
docs/diffusion.md, section 6.
"""

from typing import NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score
from threadpoolctl import threadpool_limits

from lpo.errors import InputError

LAGS = 6


class Quality(NamedTuple):
    """Distances between two sets of windows; see the functions of the same names."""

    window_frechet: float
    sliced_wasserstein: float
    wasserstein1: float
    minmax_wasserstein1: float
    two_sample_auc: float


def window_features(windows: np.ndarray) -> np.ndarray:
    """Mean, sd, autocorrelation at lags 1 to 6, max, min, mean |difference|: [n, N] -> [n, 11].

    The autocorrelations of a constant window, 0/0, are 0 by convention. Raises InputError unless
    N > 6 and all values are finite.
    """
    x = _checked("windows", windows)
    if x.shape[1] <= LAGS:
        raise InputError(f"`windows` need more than {LAGS} bins each, got {x.shape[1]}")
    centred = x - x.mean(axis=1, keepdims=True)
    power = np.sum(centred**2, axis=1)
    products = np.stack(
        [np.sum(centred[:, lag:] * centred[:, :-lag], axis=1) for lag in range(1, LAGS + 1)], axis=1
    )
    correlation = products / np.where(power > 0, power, 1.0)[:, None]
    spread = [x.max(axis=1), x.min(axis=1), np.abs(np.diff(x, axis=1)).mean(axis=1)]
    return np.column_stack([x.mean(axis=1), x.std(axis=1), correlation, *spread])


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared 2-Wasserstein distance of Gaussians fitted to two samples [n, f] and [m, f].

    |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a^1/2 C_b C_a^1/2)^1/2)  (Dowson and Landau, 1982).
    """
    a, b = _checked("a", a), _checked("b", b)
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    # eigenvalues of a symmetric product: no complex square root of a nearly singular matrix
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0.0, None)).sum()
    shift = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(shift + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross)


def window_frechet(real: np.ndarray, generated: np.ndarray) -> float:
    """Frechet distance of window features, each in units of its sd over the real windows.

    A feature that is constant over the real windows keeps its own unit.
    """
    a, b = window_features(real), window_features(generated)
    sd = a.std(axis=0)
    unit = np.where(sd > 0, sd, 1.0)
    return frechet_distance(a / unit, b / unit)


def _column_wasserstein1(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """W1 of each column's empirical laws, [n, c] and [m, c] -> [c]: the integral of the difference
    of the two quantile functions, exact on the union of their n + m jumps."""
    n, m = len(a), len(b)
    levels = np.unique(np.concatenate([np.arange(n + 1) / n, np.arange(m + 1) / m]))
    middle = 0.5 * (levels[1:] + levels[:-1])
    a, b = np.sort(a, axis=0), np.sort(b, axis=0)
    gap = np.abs(a[(middle * n).astype(int)] - b[(middle * m).astype(int)])
    return np.diff(levels) @ gap


def wasserstein1(a: np.ndarray, b: np.ndarray) -> float:
    """W1 between all bins of `a` and all bins of `b`, any shapes, in the unit of the input."""
    return float(_column_wasserstein1(np.reshape(a, (-1, 1)), np.reshape(b, (-1, 1)))[0])


def minmax_wasserstein1(a: np.ndarray, b: np.ndarray) -> float:
    """W1 of all bins after each side is scaled to [0, 1] by its own extremes.

    The published "normalised Wasserstein" (3D-Learning, arXiv 2602.02943). Blind to level and
    amplitude; report `wasserstein1` beside it. Raises InputError for a constant side.
    """
    sides = []
    for name, x in (("a", a), ("b", b)):
        low, high = float(np.min(x)), float(np.max(x))
        if not high > low:
            raise InputError(f"`{name}` must have finite values that differ to be min-max scaled")
        sides.append((np.asarray(x, dtype=np.float64) - low) / (high - low))
    return wasserstein1(*sides)


def sliced_wasserstein(
    a: np.ndarray, b: np.ndarray, *, seed: int = 0, directions: int = 128
) -> float:
    """Mean W1 of windows [n, N] and [m, N] projected on random unit directions.

    Reference: Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015.
    """
    a, b = _checked("a", a), _checked("b", b)
    normal = np.random.default_rng(seed).standard_normal((a.shape[1], directions))
    unit = normal / np.linalg.norm(normal, axis=0)
    return float(np.mean(_column_wasserstein1(a @ unit, b @ unit)))


def two_sample_auc(a: np.ndarray, b: np.ndarray, *, seed: int = 0, folds: int = 5) -> float:
    """Held-out AUC of boosted trees told to separate two sets of windows; 0.5: they cannot.

    Inputs are the windows and their features; the value is the mean over `folds` shuffled folds.
    Windows of one side must not overlap each other: trees recognise those that share bins with the
    fitted part, which reads as a difference (docs/diffusion.md, section 6).
    Reference: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, 2017.
    """
    a, b = _checked("a", a), _checked("b", b)
    rows = np.concatenate([a, b])
    inputs = np.column_stack([rows, window_features(rows)])
    label = np.repeat([0, 1], [len(a), len(b)])
    trees = HistGradientBoostingClassifier(max_iter=50, random_state=seed)
    trees.set_params(early_stopping=False)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    # one thread: on a busy machine the short parallel sections cost forty times what they save
    with threadpool_limits(1, user_api="openmp"):
        scores = cross_val_score(trees, inputs, label, cv=split, scoring="roc_auc")
    return float(np.mean(scores))


def assess(real: np.ndarray, generated: np.ndarray, *, seed: int = 0) -> Quality:
    """All distances of `generated` [m, N] from `real` [n, N]: standardised, not overlapping."""
    return Quality(
        window_frechet=window_frechet(real, generated),
        sliced_wasserstein=sliced_wasserstein(real, generated, seed=seed),
        wasserstein1=wasserstein1(real, generated),
        minmax_wasserstein1=minmax_wasserstein1(real, generated),
        two_sample_auc=two_sample_auc(real, generated, seed=seed),
    )


def _checked(name: str, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise InputError(f"`{name}` must have shape [n >= 2, N], got {x.shape}")
    if not np.all(np.isfinite(x)):
        raise InputError(f"`{name}` must be finite")
    return x
