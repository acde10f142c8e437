"""Data augmentation: rows of a batch are replaced by corrupted versions, fresh in every step.

Gaussian, cutout and Perlin noise are the baselines of 3D-Learning (arXiv 2602.02943) at its
strengths; they have the meaning of the test sets' corruptions in `lpo.workload.shifts`, on windows
instead of a whole series. `largest` is the maximum of the training demand, tokens a bin.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.optim import Shard, unsharded
from lpo.robust.empirical import draw_rows
from lpo.robust.objective import WindowLoss
from lpo.robust.outer import Inner, RobustData
from lpo.workload.shifts import perlin_noise

Corrupt = Callable[[Array, Array], Array]
"""`corrupt(key, rows [B, window]) -> rows [B, window]`, tokens, none negative."""


def augmented(
    corrupt: Corrupt,
    loss: WindowLoss,
    *,
    mix: float = 0.5,
    batch: int = 256,
    shard: Shard = unsharded,
) -> Inner:
    """Batches of real rows, each replaced by a corrupted version with probability `mix`.

    The default is on average the original beside one noisy copy, as the paper's text has it; 1
    is its code, where the noisy series replaces the original.
    """

    def prepare(key: Array, state: Any, params: Any, data: RobustData):
        del key, params, data
        return state, (), {}

    def losses(key: Array, params: Any, data: RobustData, context: Any) -> Array:
        del context
        row_key, mix_key, corrupt_key, dropout_key = jax.random.split(key, 4)
        rows = shard(draw_rows(row_key, data.real.train, batch))
        replaced = jax.random.bernoulli(mix_key, mix, (batch, 1))
        rows = jnp.where(replaced, corrupt(corrupt_key, rows), rows)
        return loss(params, rows, dropout_key)

    return Inner(lambda key, data: (), prepare, losses)


def gaussian(largest: float, *, amplitude: float = 0.05) -> Corrupt:
    """Independent normal noise of standard deviation `amplitude * largest`, cut at zero."""

    def corrupt(key: Array, rows: Array) -> Array:
        noise = amplitude * largest * jax.random.normal(key, rows.shape)
        return jnp.maximum(rows + noise, 0.0)

    return corrupt


def cutout_points(*, probability: float = 0.05) -> Corrupt:
    """Each bin loses all its demand with this probability, independently (the paper's text)."""

    def corrupt(key: Array, rows: Array) -> Array:
        return jnp.where(jax.random.bernoulli(key, probability, rows.shape), 0.0, rows)

    return corrupt


def cutout_block(largest: float, *, share: float = 0.05) -> Corrupt:
    """One block of bins, `share` of the window and at least one, is set to `largest`.

    It lies anywhere inside the window with equal probability. (The authors' code.)
    """

    def corrupt(key: Array, rows: Array) -> Array:
        count, window = rows.shape
        length = max(1, round(share * window))
        start = jax.random.randint(key, (count, 1), 0, window - length + 1)
        place = jnp.arange(window)
        return jnp.where((place >= start) & (place < start + length), largest, rows)

    return corrupt


def perlin(
    largest: float, bins: int, rng: np.random.Generator, *, amplitude: float = 0.05, paths: int = 64
) -> Corrupt:
    """Slow smooth noise of at most `amplitude * largest`, cut at zero.

    Noise of a whole series, as in the paper, not of a window: `paths` paths over `bins` bins, the
    length of the training series, are made here, and a row gets a random stretch of one of them.
    """
    bank = jnp.asarray(np.stack([perlin_noise(bins, rng) for _ in range(paths)]), jnp.float32)

    def corrupt(key: Array, rows: Array) -> Array:
        count, window = rows.shape
        path_key, start_key = jax.random.split(key)
        path = jax.random.randint(path_key, (count,), 0, paths)
        start = jax.random.randint(start_key, (count,), 0, bins - window + 1)
        stretch = jax.vmap(lambda p, s: jax.lax.dynamic_slice(bank, (p, s), (1, window))[0])
        return jnp.maximum(rows + amplitude * largest * stretch(path, start), 0.0)

    return corrupt


def scale_trend(*, scale: float = 0.3, amplitude: float = 0.3, trend: float = 0.3) -> Corrupt:
    """Random level, depth of variation and slope: shifts that keep the shape of a window.

    With m the mean of a window x, and a `ramp` from -1/2 in its first bin to 1/2 in its last,

        x' = max(s (m + a (x - m)) (1 + b ramp), 0),
        log s ~ N(0, scale^2),  log a ~ N(0, amplitude^2),  b ~ N(0, trend^2)

    so twice the level is as likely as half of it, and b is the change over the window as a share of
    its level. (Not of the paper.)
    """

    def corrupt(key: Array, rows: Array) -> Array:
        count, window = rows.shape
        s, a, b = jax.random.normal(key, (3, count, 1))
        mean = jnp.mean(rows, axis=-1, keepdims=True)
        level = jnp.exp(scale * s) * (mean + jnp.exp(amplitude * a) * (rows - mean))
        ramp = jnp.linspace(-0.5, 0.5, window)
        return jnp.maximum(level * (1.0 + trend * b * ramp), 0.0)

    return corrupt
