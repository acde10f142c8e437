"""A network that is told of a problem by guidance, scaled for its noise level."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.l2o.denoisers.denoiser import Denoiser, Probe
from lpo.l2o.family import Family, Problem
from lpo.l2o.guidance import Guidance, of_all, of_coordinates
from lpo.l2o.noise import Normaliser, out, skip


def preconditioned(
    name: str,
    family: Family,
    parts: Guidance,
    net: nn.Module,
    arranged: Callable[[jax.Array, jax.Array], tuple[jax.Array, ...]],
) -> Denoiser:
    """Return z-hat = c_s z + c_o net. Karras et al., 2022, equation 7.

    arranged: (what is known of each coordinate, [d, G], of the whole, [H]) -> arguments of the net,
    which returns [d].
    """

    def told(
        z: jax.Array, sigma: jax.Array, here: Probe, before: Probe, problem: Problem
    ) -> tuple[jax.Array, ...]:
        each = of_coordinates(parts, z, here, before)
        return arranged(each, of_all(parts, sigma, here, before, family.features(problem)))

    def init(key: jax.Array) -> Any:
        of_sample, of_net = jax.random.split(key)
        zero, one = jnp.zeros(family.dimension), jnp.ones(())
        at = Probe(zero, jnp.zeros(()), zero, one)
        return net.init(of_net, *told(zero, one, at, at, family.sample(of_sample)))

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
        found = net.apply(params, *told(z, sigma, here, before, problem))
        assert isinstance(found, jax.Array)  # flax types it as possibly (out, mutated variables)
        return skip(sigma) * z + out(sigma) * found

    return Denoiser(name, init, apply, 0, probes=True)
