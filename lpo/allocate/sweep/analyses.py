"""Sensitivity analyses as data: two scales of an instance, and the grid of their values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from lpo.allocate.instances.scaling import SCALES
from lpo.errors import InputError

LOOSER_UP = ("budget", "delay_limit", "error_limit", "memory", "compute", "storage")
"""Scales that let more plans be one as they rise. All others do so, or nothing, as they fall."""

BUDGET = ("budget_threshold", "budget_utilization", "budget_slack")
DELAY = ("avg_delay_utilization", "max_delay_utilization")
ERROR = ("avg_error_utilization", "max_error_utilization")
MEMORY = ("avg_memory_util", "max_memory_util")


class Axis(NamedTuple):
    """A scale of `lpo.allocate.scaled`, the column that shows it, its values ascending."""

    scale: str
    column: str
    values: tuple[float, ...]

    @property
    def tight_to_loose(self) -> tuple[float, ...]:
        """Values in the order in which a plan for one stays a plan for the next."""
        return self.values if self.scale in LOOSER_UP else self.values[::-1]


class Analysis(NamedTuple):
    """A sensitivity analysis: every pair of values of two axes.

    extra: columns of the table beside those that every analysis has
    (`lpo.allocate.sweep.columns`).
    """

    name: str
    a: Axis
    b: Axis
    extra: tuple[str, ...]

    @property
    def points(self) -> list[tuple[float, float]]:
        """Pairs of values, b varying first: the order of the table's rows."""
        return [(a, b) for a in self.a.values for b in self.b.values]


def _steps(first: float, last: float, step: float) -> tuple[float, ...]:
    return tuple(round(first + i * step, 10) for i in range(round((last - first) / step) + 1))


ANALYSES = {
    each.name: each
    for each in (
        Analysis(
            "cost_budget",
            Axis("price", "p_c_scale", _steps(0.40, 0.65, 0.05)),
            Axis("budget", "delta_scale", _steps(0.30, 0.50, 0.05)),
            (*BUDGET, "scaled_p_c_mean", "scaled_delta"),
        ),
        Analysis(
            "delay_error_threshold",
            Axis("delay_limit", "psi_delay", _steps(0.01, 0.09, 0.02)),
            Axis("error_limit", "psi_error", _steps(0.4, 1.4, 0.1)),
            (*DELAY, *ERROR, "scaled_Delta_i_mean", "scaled_epsilon_mean"),
        ),
        Analysis(
            "gpu_cost_error",
            Axis("price", "gpu_cost_scale", _steps(0.5, 1.5, 0.1)),
            Axis("error_limit", "psi_error", _steps(0.4, 1.4, 0.1)),
            ("scaled_epsilon_mean", "scaled_gpu_cost_mean"),
        ),
        Analysis(
            "memory_error",
            Axis("memory", "C_gpu_scale", _steps(0.6, 2.0, 0.2)),
            Axis("error_limit", "psi_error", _steps(0.6, 2.0, 0.2)),
            (*MEMORY, "scaled_C_gpu_mean", "scaled_epsilon_mean"),
        ),
    )
}
"""The four published analyses, 270 points together."""


def make_analysis(
    name: str, a: str, b: str, grid_a: Sequence[float], grid_b: Sequence[float]
) -> Analysis:
    """Return a checked analysis of any two scales.

    With the name and the scales of a published analysis it has that one's columns, whatever the
    grids; else an axis is the column `<scale>_scale` and every extra column is there.

    Raises InputError on an unknown scale, the same one twice, and a grid that is empty, not
    positive and finite, or has a value twice.
    """
    for key, scale in (("a", a), ("b", b)):
        if scale not in SCALES:
            raise InputError(f"sweep.{key}: '{scale}' given; allowed: {', '.join(SCALES)}")
    if a == b:
        raise InputError(f"sweep.b: '{b}' given, as sweep.a; allowed: another scale")
    grids = []
    for key, grid in (("grid_a", grid_a), ("grid_b", grid_b)):
        values = sorted(float(value) for value in grid)
        if not values or not all(0.0 < value < math.inf for value in values):
            raise InputError(f"sweep.{key}: {list(grid)} given; allowed: numbers above 0")
        if len(set(values)) < len(values):
            raise InputError(f"sweep.{key}: {list(grid)} given; allowed: every value once")
        grids.append(tuple(values))
    known = ANALYSES.get(name)
    if known is not None and (known.a.scale, known.b.scale) == (a, b):
        return known._replace(
            a=known.a._replace(values=grids[0]), b=known.b._replace(values=grids[1])
        )
    means = {
        "price": "scaled_p_c_mean",
        "budget": "scaled_delta",
        "delay_limit": "scaled_Delta_i_mean",
        "error_limit": "scaled_epsilon_mean",
        "memory": "scaled_C_gpu_mean",
    }
    own = tuple(means[scale] for scale in (a, b) if scale in means)
    return Analysis(
        name,
        Axis(a, f"{a}_scale", grids[0]),
        Axis(b, f"{b}_scale", grids[1]),
        (*BUDGET, *DELAY, *ERROR, *MEMORY, *own),
    )
