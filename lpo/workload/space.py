"""The space in which a score model sees demand: standardised tokens, or their logarithm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lpo.workload.windows import Scaler, standardise, unstandardise

SOFTENING = 0.05  # of the mean demand, added before the logarithm: an empty bin stays finite
LARGEST = 50.0  # times the mean demand: what comes back from the logarithm is cut there


class Space(NamedTuple):
    """Maps of windows of any shape, NumPy or JAX: tokens to the model's numbers, and back.

    `to_tokens` is cut at zero demand and never re-scaled.
    """

    to_model: Callable[[Any], Any]
    to_tokens: Callable[[Any], Any]


def linear_space(scaler: Scaler) -> Space:
    """(tokens - mean) / sd of the train part."""

    def to_tokens(x: Any) -> Any:
        return x.__array_namespace__().maximum(unstandardise(x, scaler), 0.0)

    return Space(lambda tokens: standardise(tokens, scaler), to_tokens)


def log_space(train: np.ndarray) -> Space:
    """log(.05 + tokens / mean), standardised; mean and both moments are those of `train` tokens.

    A change of level is a shift of all bins here, whatever the level, and noise is relative.
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
