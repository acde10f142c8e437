"""What the score model and the adversary imagine: windows for the figure, quality, likelihood."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from lpo import diffusion, robust, workload
from lpo.train.config import DiffusionConfig
from lpo.train.methods import Players


class Samples(NamedTuple):
    """Windows in tokens, [n, window]: real training ones, and what both models draw from one seed.

    `worst` starts from the same noise as `nominal`. `quality`: one row a seed and model; distances
    of samples from real training windows in standardised units.
    """

    real: np.ndarray
    nominal: np.ndarray
    worst: np.ndarray
    quality: pd.DataFrame


def draw_samples(
    keys: Array,
    players: Players,
    problem: workload.Problem,
    cfg: DiffusionConfig,
    seeds: list[int],
) -> Samples:
    """Sample the nominal model and the adversary with common noise and measure both.

    `keys` [seeds, 2]. `nll_nats`: mean probability-flow negative log-likelihood of held-out
    standardised windows, nats per window.
    """
    model, sde, grid, nominal = players.score
    dim, count = problem.layout.window, cfg.quality_windows
    held_out = problem.validation if len(problem.validation) else problem.tests[problem.own]
    chosen = np.linspace(0, len(held_out) - 1, min(cfg.likelihood_windows, len(held_out)))
    rows = jnp.asarray(workload.standardise(held_out[chosen.astype(int)], problem.scaler))

    def draw(key: Array, theta: Any, nominal: robust.Nominal) -> Array:
        coarse_key, fine_key = jax.random.split(key)
        nominal_eps, eps = (partial(model.apply, params) for params in (nominal.theta, theta))
        x_k = diffusion.sample_coarse(coarse_key, nominal_eps, count, dim, grid, nominal.coefs)
        noise = jax.random.normal(fine_key, (grid.fine, count, dim))
        return diffusion.sample_fine(eps, x_k, noise, nominal.coefs)[0]

    def nll(theta: Any) -> Array:
        return -jnp.mean(diffusion.log_likelihood(partial(model.apply, theta), rows, sde))

    models = {"nominal": nominal.theta, "worst_case": players.theta}
    draw_seeds = jax.jit(jax.vmap(draw, in_axes=(0, 0, robust.DATA_AXES.nominal)))
    nll_seeds = jax.jit(jax.vmap(nll))
    drawn = {name: np.asarray(draw_seeds(keys, theta, nominal)) for name, theta in models.items()}
    nats = {name: np.asarray(nll_seeds(theta)) for name, theta in models.items()}
    # windows that do not overlap: a classifier recognises two that share bins
    apart = -(-dim // problem.protocol.train_stride)
    real = workload.standardise(problem.train[::apart], problem.scaler)
    quality = pd.DataFrame(
        {"model": name, "seed": seed}
        | diffusion.assess(real, drawn[name][i])._asdict()
        | {"nll_nats": float(nats[name][i])}
        for name in models
        for i, seed in enumerate(seeds)
    )

    def tokens(x: np.ndarray) -> np.ndarray:
        return np.maximum(workload.unstandardise(x, problem.scaler), 0.0)

    return Samples(
        problem.train, tokens(drawn["nominal"][0]), tokens(drawn["worst_case"][0]), quality
    )
