"""One perceptron for every coordinate, told of the whole by statistics: any dimension."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.errors import InputError
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.denoisers.preconditioned import preconditioned
from lpo.l2o.family import Family
from lpo.l2o.guidance import Guidance


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
    net = _Net(width, layers)
    return preconditioned(
        "coordinate", family, guidance or Guidance(), net, lambda each, whole: (each, whole)
    )
