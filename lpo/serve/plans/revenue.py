r"""The optimal revenue as a function that JAX differentiates, compiles and batches. docs/serve.md.

Through `lpo.optim.ConvexLayer`, which does linear programs exactly where only the value is wanted:
the cost vector is a combination of the active rows with the multipliers z as weights, so that the
KKT system K [w; l] = [c; 0] of the backward pass has the solution w = 0, l = z, whichever of
several optimal points the solver returned. The derivative of the value is then

$$ \frac{dR^*}{d\theta} = \frac{\partial}{\partial\theta} \Big(
       \text{objective} - z'(\text{rows}) \Big), $$

the envelope theorem (Milgrom and Segal, "Envelope theorems for arbitrary choice sets", 2002), and
no ridge is needed. At kinks, where the multipliers are not unique, it is one generalised gradient.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.optim.layer import ConvexLayer
from lpo.serve.instance import Instance
from lpo.serve.plans.levels import NO_LEVELS, ServiceLevels
from lpo.serve.plans.program import (
    FluidProgram,
    Pricing,
    coefficients,
    fluid_program,
    objective,
    variables_of,
)


class OptimalRevenue(NamedTuple):
    """`optimal_revenue(instance, levels)` is R*; differentiable, under `jit` and `vmap`."""

    program: FluidProgram
    layer: ConvexLayer

    def __call__(self, instance: Instance, levels: ServiceLevels = NO_LEVELS) -> Array:
        """Return `FluidPlan.value`, currency per GPU and second, [].

        instance: a pytree of JAX arrays; its batch and chunk count as real numbers here. levels:
        those the program was made for, with limits and prices that may be JAX arrays. Which classes
        abandon stays as it was. Raises at run time where no plan keeps the levels.
        """
        given = coefficients(self.program.shape, instance, levels)
        names = self.program.parameters
        values = self.layer(*(jnp.asarray(given[name], float) for name in names))
        return objective(variables_of(self.program, values), given)


def make_optimal_revenue(
    instance: Instance,
    levels: ServiceLevels = NO_LEVELS,
    *,
    pricing: Pricing | str = Pricing.BUNDLED,
    disaggregated: bool = False,
    **layer: Any,
) -> OptimalRevenue:
    """Return R* as a function of instances and levels of the same shape as these.

        revenue = make_optimal_revenue(instance)
        point = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), instance)
        slopes = jax.grad(revenue)(point)     # an Instance: slopes.arrival, slopes.hardware.beta

    layer: options of `ConvexLayer`, such as the back end. Raises InputError as `solve_plan`.
    """
    program = fluid_program(instance, levels, pricing, disaggregated=disaggregated)
    parameters = list(program.parameters.values())
    return OptimalRevenue(
        program, ConvexLayer(program.problem, parameters, program.leaves, **layer)
    )
