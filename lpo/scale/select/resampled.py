"""How sure a choice is: made again on resampled queries."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.select.feasible import keeping
from lpo.scale.select.options import Options
from lpo.scale.select.points import Points
from lpo.scale.select.selections import select


class ChosenK(NamedTuple):
    """Choices on resamples, by criterion in the order of `Selections`.

    k int [draws, s, m, p, 5]: passes, -1 where nothing was feasible. modal int [s, m, p, 5]: the
    most frequent one, the least of equals. frequency: its share of the draws.
    """

    k: np.ndarray
    modal: np.ndarray
    frequency: np.ndarray


def chosen_k_bootstrap(
    options: Options,
    means: Any,
    limits: Limits,
    allowed: Any,
    k: Any,
    *,
    feasible: Any = None,
) -> ChosenK:
    """Choose on the means of each resample, as on those of the sample itself.

    **Arguments:**

    - `means`: with cost, time and accuracy [draws, m, p, K], such as
      `lpo.scale.monte_carlo.resampled_means` returns.
    - `limits`: [s]. `allowed`: bool [p, K]. `k`: [K].
    - `feasible`: bool [draws, s, m, p, K] in place of what keeps the limits in the mean.

    The choice is that of `select`, one resample after another by the program that is compiled for
    the sample. **Raises:** InputError where the shapes are others.
    """
    axes = np.broadcast_arrays(means.cost, means.time, means.accuracy)
    passes = np.asarray(k)
    shape = axes[0].shape
    if len(shape) != 4 or not shape[0] or passes.shape != shape[3:]:
        raise InputError(
            "`means` must be [draws, m, p, K] with at least one draw, and `k` [K], "
            f"got {shape} and {passes.shape}."
        )
    chosen = []
    for draw in range(shape[0]):
        points = Points(*(axis[draw] for axis in axes))
        may = keeping(points, limits) if feasible is None else np.asarray(feasible[draw], bool)
        found = select(options, points, may & np.asarray(allowed, bool), limits, k=passes)
        at = np.stack([one.at for one in found], -1)
        chosen.append(np.where(at < 0, -1, passes[at]))
    drawn = np.stack(chosen)
    modal, frequency = _most_frequent(drawn)
    return ChosenK(drawn, modal, frequency)


def _most_frequent(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent number along the first axis, the least of equals, and its share."""
    most = np.zeros(drawn.shape[1:], int)
    modal = np.zeros_like(drawn[0])
    for value in np.unique(drawn):  # ascending
        count = (drawn == value).sum(0)
        modal, most = np.where(count > most, value, modal), np.maximum(count, most)
    return modal, most / len(drawn)
