"""An MLP-mixer on time steps (Chen et al., "TSMixer", TMLR 2023, arXiv 2303.06053).

Dense layers only: on CPU, XLA runs convolutions about 100 times slower than matmuls of their size.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from lpo.forecast.mlp import MLP
from lpo.forecast.normalise import forecaster
from lpo.forecast.types import Forecaster, Head, Normalise
from lpo.workload.windows import Scaler


class Mixer(nn.Module):
    """Residual blocks that mix time steps, then channels; [..., time] -> [..., outputs]."""

    width: int
    blocks: int
    outputs: int
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, *, deterministic: bool) -> jax.Array:
        """Map x [..., time] to [..., outputs]."""
        time = x.shape[-1]
        drop = nn.Dropout(self.dropout, deterministic=deterministic)
        y = nn.Dense(self.width)(x[..., None])
        for _ in range(self.blocks):
            mixed = jnp.swapaxes(nn.LayerNorm()(y), -1, -2)
            mixed = MLP((self.width,), time)(mixed, deterministic=deterministic)
            y = y + drop(jnp.swapaxes(mixed, -1, -2))
            channels = MLP((2 * self.width,), self.width)
            y = y + drop(channels(nn.LayerNorm()(y), deterministic=deterministic))
        flat = nn.LayerNorm()(y).reshape(*x.shape[:-1], time * self.width)
        return nn.Dense(self.outputs)(flat)


def mixer(
    scaler: Scaler,
    context: int,
    head: Head,
    *,
    normalise: Normalise = "raw",
    width: int = 32,
    blocks: int = 2,
    dropout: float = 0.0,
) -> Forecaster:
    """Return a mixer of `blocks` blocks and `width` channels.

    dropout acts on each residual branch. See `lpo.forecast.normalise.forecaster` for the scales.
    """
    net = Mixer(width, blocks, head.size, dropout)
    return forecaster(net, scaler, context, head, normalise)
