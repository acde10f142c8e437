"""Learned proximal gradient layers as a denoiser, for composite objectives. docs/l2o.md."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Problem
from lpo.l2o.noise import Normaliser, embedding, from_normal, skip, to_normal

_GATES = 3  # of a layer: step, threshold, momentum


class _Gates(nn.Module):
    """What the noise level does to each layer, [layers, 3]; nothing at first."""

    layers: int

    @nn.compact
    def __call__(self, sigma: jax.Array) -> jax.Array:
        hidden = nn.silu(nn.Dense(32)(embedding(sigma)))
        last = nn.Dense(self.layers * _GATES, kernel_init=nn.initializers.zeros)
        return last(hidden).reshape(self.layers, _GATES)


def unrolled(family: Family, layers: int = 4) -> Denoiser:
    """Proximal gradient steps from c_s z whose sizes, thresholds and momenta are learned.

    Layer j: x <- prox(y - e^{s_j} P_j grad smooth(y) / L, e^{r_j} / L), y beyond x by a learned
    momentum (none at first, so that the first network is `layers` steps of ISTA). P_j [d, d] is the
    identity, from which it is learned where all problems share their matrix. The noise level moves
    s_j, r_j and the momentum. Gregor and LeCun, Learning fast approximations of sparse coding,
    2010, with the noise level.

    Raises InputError on a family without a composite objective and on no layers.
    """
    composite = family.composite
    if composite is None:
        raise InputError(f"{family.name} has no proximal step: unrolled does not apply.")
    if layers < 1:
        raise InputError(f"`layers` must be at least 1, got {layers}.")
    gates, d, preconditioned = _Gates(layers), family.dimension, composite.matrix is not None

    def init(key: jax.Array) -> Any:
        params = {"gates": gates.init(key, jnp.ones(())), "bias": jnp.zeros((layers, _GATES))}
        if preconditioned:
            params["P"] = jnp.tile(jnp.eye(d), (layers, 1, 1))
        return params

    def apply(
        params: Any,
        normaliser: Normaliser,
        z: jax.Array,
        sigma: jax.Array,
        here: Probe | None,
        before: Probe | None,
        problem: Problem,
    ) -> jax.Array:
        del here, before
        moved = gates.apply(params["gates"], sigma)
        assert isinstance(moved, jax.Array)
        size = 1.0 / composite.lipschitz(problem)
        x = y = from_normal(normaliser, skip(sigma) * z)
        slope = jax.grad(composite.smooth)
        for j, (longer, wider, beyond) in enumerate(params["bias"] + moved):
            g = slope(y, problem)
            if preconditioned:
                g = params["P"][j] @ g
            new = composite.prox(y - jnp.exp(longer) * size * g, jnp.exp(wider) * size, problem)
            x, y = new, new + beyond * (new - x)
        return to_normal(normaliser, x)

    return Denoiser("unrolled", init, apply, layers, probes=False)
