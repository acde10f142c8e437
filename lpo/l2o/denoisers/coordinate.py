"""One perceptron for every coordinate, told of the whole by statistics: any dimension."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Problem
from lpo.l2o.guidance import Guidance, of_all, of_coordinates
from lpo.l2o.noise import Normaliser, out, skip


class _Net(nn.Module):
    """[d, G] and [H] -> [d]; permuting coordinates permutes what comes out."""

    width: int
    layers: int

    @nn.compact
    def __call__(self, each: jax.Array, whole: jax.Array) -> jax.Array:
        told = jnp.concatenate([whole, each.mean(0), jnp.sqrt(each.var(0) + 1e-6)])
        hidden = nn.Dense(self.width)(each) + nn.Dense(self.width, use_bias=False)(told)
        for _ in range(self.layers - 1):
            hidden = hidden + nn.Dense(self.width)(nn.silu(hidden))
        last = nn.Dense(1, kernel_init=nn.initializers.zeros)
        return last(nn.silu(hidden))[:, 0]


def coordinate(
    family: Family, guidance: Guidance | None = None, *, width: int = 128, layers: int = 3
) -> Denoiser:
    """Return z-hat = c_s z + c_o net, the net being the same for all coordinates.

    Features of the problem are for the whole. Raises InputError on sizes below 1.
    """
    if min(width, layers) < 1:
        raise InputError(f"`width` and `layers` must be at least 1, got {width}, {layers}.")
    parts, net, d = guidance or Guidance(), _Net(width, layers), family.dimension

    def init(key: jax.Array) -> Any:
        of_sample, of_net = jax.random.split(key)
        problem, zero = family.sample(of_sample), jnp.zeros(d)
        at = Probe(zero, jnp.zeros(()), zero, jnp.ones(()))
        whole = of_all(parts, jnp.ones(()), at, at, family.features(problem))
        return net.init(of_net, of_coordinates(parts, zero, at, at), whole)

    def apply(
        params: Any,
        normaliser: Normaliser,
        z: jax.Array,
        sigma: jax.Array,
        here: Probe | None,
        before: Probe | None,
        problem: Problem,
    ) -> jax.Array:
        del normaliser
        assert here is not None and before is not None
        each = of_coordinates(parts, z, here, before)
        whole = of_all(parts, sigma, here, before, family.features(problem))
        found = net.apply(params, each, whole)
        assert isinstance(found, jax.Array)  # flax types it as possibly (out, mutated variables)
        return skip(sigma) * z + out(sigma) * found

    return Denoiser("coordinate", init, apply, 0, probes=True)
