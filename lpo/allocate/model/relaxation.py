"""The allocation with fractional GPUs, as a differentiable function of demand, prices and limits.

docs/allocate.md, "The relaxation".
"""

from itertools import chain
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model.columns import make_columns
from lpo.allocate.model.program import Program, build, values_of
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.optim.layer import ConvexLayer
from lpo.optim.matrix_layer import MatrixPattern, matrix_layer

# Share of the ridge on dropped shares and on the dual variables of a budget: where a limit is slack
# many of them are optimal, and derivatives need one.
_OTHERS = 1e-2
_USD = 100.0  # the layer counts money in hundreds of dollars, so that costs are about 1


class Relaxed(NamedTuple):
    """Solution of the relaxation; its entries are those of the columns of `Relaxation.program`.

    cost []: $, without the ridge. replicas [C]: fractions of the largest degree of a pair.
    share [R], unmet [I]: shares of the query types.
    """

    cost: Array
    replicas: Array
    share: Array
    unmet: Array


class Relaxation(NamedTuple):
    """`relaxation(data)` solves for other numbers; differentiable, under `jit` and `vmap`.

    pattern: of the matrices that `layer` takes.
    """

    program: Program
    pattern: MatrixPattern
    layer: ConvexLayer

    def __call__(self, data: InstanceData) -> Relaxed:
        """Solve for `data`, a pytree of JAX arrays with the shapes of the instance's.

        Raises at run time when a problem is not solved, an infeasible one among others.
        """
        program, columns, layout = self.program, self.program.columns, self.program.layout
        data = InstanceData(*(jnp.asarray(part) for part in data))
        numbers = program.numbers(data)
        cost = jnp.zeros(layout.n)
        parts = program.objective(data, numbers).values()
        for _, at, value in chain.from_iterable(parts):
            cost = cost.at[at].add(jnp.broadcast_to(value, at.shape))
        entries, right = [], []
        for block in program.rows(data, numbers):
            entries += values_of(block, jnp)
            right.append(jnp.broadcast_to(jnp.asarray(block.right, cost.dtype), (block.count,)))
        (x,) = self.layer(cost / _USD, jnp.concatenate(entries), jnp.concatenate(right))
        C, R = len(columns.degree), len(columns.route_type)
        return Relaxed(
            cost=cost @ x,
            replicas=x[layout.replicas : layout.replicas + C],
            share=x[layout.share : layout.share + R],
            unmet=x[layout.unmet : layout.unmet + len(program.instance.query_types)],
        )


def make_relaxation(
    instance: Instance,
    uncertainty: Uncertainty | None = None,
    options: Options = CORRECTED,
    *,
    ridge: float = 1e-2,
    **layer: Any,
) -> Relaxation:
    """Return the relaxation of the corrected model, one fraction of a deployment a pair.

    **Arguments:**

    - `ridge`: mu; mu/2 (|replicas|^2 + |shares|^2) is added to the cost in hundreds of dollars, and
      a hundredth of it for the other variables. Without it the solution of a linear program jumps
      and has no derivative to speak of.
    - `layer`: options of `ConvexLayer`, such as the back end.

    Raises InputError for what has no relaxation here: the published profiles, single placement,
    storage by route, several replicas, ellipsoids; and on a negative ridge.
    """
    allowed = CORRECTED._replace(
        decision_dependent=options.decision_dependent,
        legacy_units=options.legacy_units,
        utilisation=options.utilisation,
        horizon_consistent=options.horizon_consistent,
    )
    if options != allowed:
        named = [f for f, a, b in zip(Options._fields, options, allowed, strict=True) if a != b]
        raise InputError(f"The relaxation has no `{named[0]}`; leave it at its default.")
    if not ridge >= 0.0:
        raise InputError(f"`ridge` must be at least 0, got {ridge}.")
    columns = make_columns(instance, largest_degree_only=True)
    program = build(instance, options, uncertainty, columns=columns)
    if any(
        tau is not None and sigma is None
        for tau, sigma in zip(program.layout.tau, program.layout.sigma, strict=True)
    ):
        raise InputError("The relaxation takes budgets and boxes, not ellipsoids.")
    pattern = _pattern(program, ridge)
    return Relaxation(program, pattern, matrix_layer(pattern, **layer))


def _pattern(program: Program, ridge: float) -> MatrixPattern:
    data, layout = program.instance.data, program.layout
    blocks = program.rows(data, program.numbers(data))
    heights = np.cumsum([0, *(block.count for block in blocks)])
    upper, weight = np.full(layout.n, np.inf), np.zeros(layout.n)
    upper[: layout.unmet + len(data.unmet_cap)] = 1.0
    weight[: layout.unmet] = ridge
    weight[layout.unmet :] = _OTHERS * ridge
    return MatrixPattern(
        row=np.concatenate([b.row + at for b, at in zip(blocks, heights[:-1], strict=True)]),
        column=np.concatenate([block.column for block in blocks]),
        equal=np.concatenate([np.full(b.count, b.equation) for b in blocks]),
        upper=upper,
        ridge=weight,
    )
