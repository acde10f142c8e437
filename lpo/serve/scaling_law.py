"""How a gap closes as fleets grow: gap = a n^-b, fitted on logarithms. docs/serve_simulators.md."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.errors import InputError


class ScalingLaw(NamedTuple):
    """gap = factor n^-exponent, with the standard errors of log factor and of the exponent.

    misfit: chi-square per degree of freedom, about 1 where the gaps differ from the law by no more
    than their errors; not a number for two points. points: how many have been fitted.
    """

    factor: float
    factor_error: float
    exponent: float
    exponent_error: float
    misfit: float
    points: int

    def at(self, gpus: np.ndarray) -> np.ndarray:
        """Return the gap of the law for fleets of these sizes."""
        return self.factor * np.asarray(gpus, np.float64) ** -self.exponent


def fit_scaling_law(
    gpus: Sequence[float] | np.ndarray,
    gaps: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
) -> ScalingLaw:
    """Return the law that fits gaps [points] of fleets of these sizes with these standard errors.

    Weighted least squares of log gap on log n. A logarithm has the standard error of the gap over
    the gap (delta method), and its inverse square as weight. Where the points lie further from the
    line than their errors explain, the errors of the fit are larger by the square root of the
    misfit (Birge, "The calculation of errors by the method of least squares", 1932). Gaps that are
    not above 0 have no logarithm and are left out.

    Raises InputError on arrays of different lengths, on errors and sizes that are not positive, and
    where less than two sizes are left.
    """
    n, gap, error = (np.asarray(each, np.float64) for each in (gpus, gaps, errors))
    if not n.shape == gap.shape == error.shape or n.ndim != 1:
        raise InputError(
            "`gpus`, `gaps` and `errors` must be lists of the same length, got shapes "
            f"{n.shape}, {gap.shape} and {error.shape}."
        )
    if not (np.all(np.isfinite(gap)) and np.all((n > 0.0) & (error > 0.0) & np.isfinite(error))):
        raise InputError("`gpus` and `errors` must be positive, and every number finite.")
    used = gap > 0.0
    if len(np.unique(n[used])) < 2:
        raise InputError(
            f"A scaling law needs positive gaps of at least two sizes, got {gap.tolist()} for "
            f"{n.tolist()} GPUs."
        )
    along, height = np.log(n[used]), np.log(gap[used])
    weight = (gap[used] / error[used]) ** 2
    centre = weight @ along / weight.sum()
    spread = weight @ (along - centre) ** 2
    slope = weight @ ((along - centre) * height) / spread
    level = weight @ height / weight.sum()
    rest = height - level - slope * (along - centre)
    free = int(used.sum()) - 2
    misfit = float(weight @ rest**2) / free if free else np.nan
    widening = np.sqrt(np.fmax(misfit, 1.0))
    return ScalingLaw(
        factor=float(np.exp(level - slope * centre)),
        factor_error=float(widening * np.sqrt(1.0 / weight.sum() + centre**2 / spread)),
        exponent=-float(slope),
        exponent_error=float(widening / np.sqrt(spread)),
        misfit=misfit,
        points=free + 2,
    )
