"""A multi-layer perceptron on the whole context."""

import flax.linen as nn
import jax

from lpo.forecast.normalise import forecaster
from lpo.forecast.types import Forecaster, Head, Normalise
from lpo.workload.windows import Scaler


class MLP(nn.Module):
    """Dense layers with GELU and dropout after each; [..., features] -> [..., outputs]."""

    widths: tuple[int, ...]
    outputs: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, *, deterministic: bool) -> jax.Array:
        """Map x [..., features] to [..., outputs]."""
        for width in self.widths:
            x = nn.gelu(nn.Dense(width)(x))
            x = nn.Dropout(self.dropout, deterministic=deterministic)(x)
        return nn.Dense(self.outputs)(x)


def mlp(
    scaler: Scaler,
    context: int,
    head: Head,
    *,
    normalise: Normalise = "raw",
    widths: tuple[int, ...] = (64, 64, 64),
    dropout: float = 0.0,
) -> Forecaster:
    """Return an MLP forecaster of hidden `widths`; see `lpo.forecast.normalise.forecaster`."""
    net = MLP(tuple(widths), head.size, dropout)
    return forecaster(net, scaler, context, head, normalise)
