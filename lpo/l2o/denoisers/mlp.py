"""A perceptron on all coordinates together: problems of a fixed structure."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Problem
from lpo.l2o.guidance import Guidance, of_all, of_coordinates
from lpo.l2o.noise import Normaliser, out, skip


class Perceptron(nn.Module):
    """[G] -> [d], residual, nothing at first."""

    width: int
    layers: int
    outputs: int

    @nn.compact
    def __call__(self, told: jax.Array) -> jax.Array:
        hidden = nn.Dense(self.width)(told)
        for _ in range(self.layers - 1):
            hidden = hidden + nn.Dense(self.width)(nn.silu(hidden))
        return nn.Dense(self.outputs, kernel_init=nn.initializers.zeros)(nn.silu(hidden))


def mlp(
    family: Family, guidance: Guidance | None = None, *, width: int = 192, layers: int = 3
) -> Denoiser:
    """Return z-hat = c_s z + c_o net, the net seeing all that `lpo.l2o.guidance` tells.

    Raises InputError on sizes below 1.
    """
    if min(width, layers) < 1:
        raise InputError(f"`width` and `layers` must be at least 1, got {width}, {layers}.")
    parts, d = guidance or Guidance(octaves=0), family.dimension
    net = Perceptron(width, layers, d)

    def told(z: jax.Array, sigma: jax.Array, here: Probe, before: Probe, problem: Problem) -> Any:
        each = of_coordinates(parts, z, here, before).ravel()
        whole = of_all(parts, sigma, here, before, family.features(problem))
        return jnp.concatenate([each, whole])

    def init(key: jax.Array) -> Any:
        of_sample, of_net = jax.random.split(key)
        zero = jnp.zeros(d)
        at = Probe(zero, jnp.zeros(()), zero, jnp.ones(()))
        return net.init(of_net, told(zero, jnp.ones(()), at, at, family.sample(of_sample)))

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
        found = net.apply(params, told(z, sigma, here, before, problem))
        assert isinstance(found, jax.Array)  # flax types it as possibly (out, mutated variables)
        return skip(sigma) * z + out(sigma) * found

    return Denoiser("mlp", init, apply, 0, probes=True)
