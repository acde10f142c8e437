"""A perceptron on all coordinates together: problems of a fixed structure."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.denoisers.preconditioned import preconditioned
from lpo.l2o.family import Family
from lpo.l2o.guidance import Guidance


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
    net = Perceptron(width, layers, family.dimension)

    def together(each: jax.Array, whole: jax.Array) -> tuple[jax.Array]:
        return (jnp.concatenate([each.ravel(), whole]),)

    return preconditioned("mlp", family, guidance or Guidance(octaves=0), net, together)
