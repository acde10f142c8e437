"""Impact factors: the share of the uncertainty that a (model, tier) pair removes.

Levels low, medium, high, luxury are 0 to 3. docs/allocate_instances.md, "Impact factors".
"""

from collections.abc import Sequence

import numpy as np

from lpo.allocate.instance import Instance
from lpo.errors import InputError

LEVELS = ("low", "medium", "high", "luxury")
LEVEL_RANGES = ((0.20, 0.25), (0.40, 0.45), (0.60, 0.65), (0.80, 0.85))
COMPUTE_CLASSES = (150.0, 400.0, 900.0)  # TFLOP/s at which medium, high and luxury begin
WEIGHT_CLASSES = (10.0, 50.0)  # GB at which a model's complexity is medium and high
PRECISION_STEP = {"INT4": -1, "INT8": 0, "FP16": 1}
ERROR_CLASSES = (0.75, 1.5, 2.25)  # scores at which medium, high and luxury begin


def delay_levels(complexity: Sequence[int], tflops: Sequence[float]) -> np.ndarray:
    """Levels [J, K] for delay, int64: how far the tier's compute exceeds the model's complexity.

    complexity [J]: 0 low to 2 high. tflops [K].
    """
    margin = _compute_level(tflops)[None, :] - np.asarray(complexity)[:, None]
    return np.clip(margin + 1, 0, 3)


def error_levels(
    complexity: Sequence[int], tflops: Sequence[float], precisions: Sequence[str]
) -> np.ndarray:
    """Levels [J, K] for error, int64: (2 complexity + tier level) / 3 by `ERROR_CLASSES`.

    complexity [J]: 0 low to 2 high. tflops [K]. precisions [K]: names in `PRECISION_STEP`.
    """
    unknown = [name for name in precisions if name not in PRECISION_STEP]
    if unknown:
        raise InputError(f"Precision must be one of {', '.join(PRECISION_STEP)}, got {unknown[0]}.")
    step = np.array([PRECISION_STEP[name] for name in precisions])
    tier = np.clip(_compute_level(tflops) + step, 0, 3)
    score = (2 * np.asarray(complexity)[:, None] + tier[None, :]) / 3
    return np.digitize(score, ERROR_CLASSES)


def draw_factors(
    levels: np.ndarray, rng: np.random.Generator | np.random.RandomState
) -> np.ndarray:
    """Factors [J, K], drawn uniformly in the range of their level, in C order."""
    low, high = np.array(LEVEL_RANGES).T
    return rng.uniform(low[levels], high[levels])


def spaced_factors(levels: np.ndarray, spacing: float, start: float = 0.2) -> np.ndarray:
    """Factors [J, K] without randomness: start + spacing x level.

    The spacing between levels is the axis of the published notebook's sweep (0.1 to 0.3). Factors
    above 1 would turn the uncertainty around and are cut to 1 (start 0.2 and spacing 0.3 give 1.1
    at the top level). Raises InputError on a negative spacing and on a start outside [0, 1].
    """
    if not (np.isfinite(spacing) and spacing >= 0.0):
        raise InputError(f"`spacing` must be finite and at least 0, got {spacing}.")
    if not 0.0 <= start <= 1.0:
        raise InputError(f"`start` must be in [0, 1], got {start}.")
    return np.minimum(start + spacing * levels, 1.0)


def with_spacing(instance: Instance, delay: float, error: float, start: float = 0.2) -> Instance:
    """Return the instance with `spaced_factors` of these spacings for delay and for error.

    Complexity is by the size of the weights (`WEIGHT_CLASSES`, which puts the published models
    where their list has them), precision the end of the tier's name, such as "H100_80GB_INT8".
    Raises InputError as `spaced_factors`, and on a tier whose name ends in no known precision.
    """
    complexity = np.digitize(np.asarray(instance.data.weights_gb), WEIGHT_CLASSES).tolist()
    tflops = np.asarray(instance.data.compute_tflops).tolist()
    precisions = [tier.rpartition("_")[2] for tier in instance.tiers]
    levels = delay_levels(complexity, tflops), error_levels(complexity, tflops, precisions)
    return instance._replace(
        data=instance.data._replace(
            impact_delay=spaced_factors(levels[0], delay, start),
            impact_error=spaced_factors(levels[1], error, start),
        )
    )


def _compute_level(tflops: Sequence[float]) -> np.ndarray:
    return np.digitize(np.asarray(tflops, np.float64), COMPUTE_CLASSES)
