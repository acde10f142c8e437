"""What a differentiable solver of one parametrised convex problem is."""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from jax import Array


class Status(IntEnum):
    """How the solution of one problem ended; as an array, its integer."""

    SOLVED = 0
    INACCURATE = 1  # a point came back whose KKT residual is above the tolerance
    INFEASIBLE = 2
    UNBOUNDED = 3
    FAILED = 4


class LayerSolution(NamedTuple):
    """Solution of one problem; under `vmap` every field has the batch axes in front.

    values: one array a variable, in the shape of the variable. status: int32, a `Status`.
    residual: largest KKT residual, relative to the data. gap: weakest strict complementarity, the
    least max(slack, multiplier) over all inequalities, relative; where it is small a constraint is
    weakly active, the solution map has a kink, and the gradient is one of its one-sided ones.
    Only `values` are differentiable.
    """

    values: tuple[Array, ...]
    status: Array
    residual: Array
    gap: Array


class Backend(NamedTuple):
    """A way to solve a problem. `solve(*params)` takes arrays in the shapes of the parameters.

    It solves one problem; `jit`, `vmap` and reverse-mode `grad` apply to it.
    """

    name: str
    solve: Callable[..., LayerSolution]
