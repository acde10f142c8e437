"""The space in which a score model sees demand: tokens, their logarithm, or level and shape."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lpo.workload.windows import Scaler, standardise, unstandardise

SOFTENING = 0.05  # of the mean demand, added before the logarithm: an empty bin stays finite
LOWEST = 0.005  # of the mean demand, the same for the level of a window
LARGEST = 50.0  # times the mean demand: what comes back from the logarithm is cut there


class Space(NamedTuple):
    """Maps of windows [..., window], NumPy or JAX: tokens to the model's numbers, and back.

    The model's numbers are `extra` more than the bins of a window. `to_tokens` is cut at zero
    demand and never re-scaled.
    """

    to_model: Callable[[Any], Any]
    to_tokens: Callable[[Any], Any]
    extra: int = 0


def linear_space(scaler: Scaler) -> Space:
    """(tokens - mean) / sd of the train part."""

    def to_tokens(x: Any) -> Any:
        return x.__array_namespace__().maximum(unstandardise(x, scaler), 0.0)

    return Space(lambda tokens: standardise(tokens, scaler), to_tokens)


def log_space(train: np.ndarray) -> Space:
    """log(.05 + tokens / mean), standardised; mean and both moments are those of `train` tokens.

    A change of level is one shift of all bins here, up to the .05 that keeps an empty bin finite,
    and noise is relative. What comes back is cut at `LARGEST` times the mean.
    """
    mean = float(np.mean(train, dtype=np.float64))
    logs = np.log(SOFTENING + np.asarray(train, np.float64) / mean)
    centre, spread = float(logs.mean()), float(logs.std())

    def to_model(tokens: Any) -> Any:
        return (tokens.__array_namespace__().log(SOFTENING + tokens / mean) - centre) / spread

    def to_tokens(x: Any) -> Any:
        xp = x.__array_namespace__()
        logs = xp.minimum(centre + spread * x, float(np.log(SOFTENING + LARGEST)))
        return mean * xp.maximum(xp.exp(logs) - SOFTENING, 0.0)

    return Space(to_model, to_tokens)


def level_space(train: np.ndarray) -> Space:
    """One number for the level of a window, and the window in units of it.

    (log(.005 + m / mean), x / m - 1) with m the mean of a window x, both standardised by `train`
    windows [n, window] (one deviation for all bins of the shape). The size of a service is then a
    direction of its own, as cheap to an adversary as any other. Levels are cut at `LARGEST` means.
    """
    mean = float(np.mean(train, dtype=np.float64))
    levels = np.asarray(train, np.float64).mean(axis=-1)
    logs = np.log(LOWEST + levels / mean)
    centre, spread = float(logs.mean()), float(logs.std())
    shapes = train[levels > 0] / levels[levels > 0, None] - 1.0
    depth = float(shapes.std())

    def to_model(tokens: Any) -> Any:
        xp = tokens.__array_namespace__()
        level = xp.mean(tokens, axis=-1, keepdims=True)
        shape = tokens / xp.maximum(level, 1e-9 * mean) - 1.0
        log_level = (xp.log(LOWEST + level / mean) - centre) / spread
        return xp.concatenate([log_level, shape / depth], axis=-1)

    def to_tokens(x: Any) -> Any:
        xp = x.__array_namespace__()
        logs = xp.minimum(centre + spread * x[..., :1], float(np.log(LOWEST + LARGEST)))
        level = mean * xp.maximum(xp.exp(logs) - LOWEST, 0.0)
        return level * xp.maximum(1.0 + depth * x[..., 1:], 0.0)

    return Space(to_model, to_tokens, extra=1)
