"""What the score model and the adversary imagine: windows for the figure, quality, likelihood."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from lpo import diffusion, workload
from lpo.train.config import DiffusionConfig
from lpo.train.methods import Players


class Samples(NamedTuple):
    """Windows in tokens, [n, window]: held-out real ones, and what both models draw from one seed.

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
    score = players.score
    coefs = diffusion.make_coefficients(score.sde, score.grid.times)
    dim, count = problem.layout.window, cfg.quality_windows
    held_out = problem.validation if len(problem.validation) else problem.tests[problem.own]

    def eps_of(theta: Any):
        return partial(score.model.apply, theta)

    def one_seed(key: Array, nominal: Any, theta: Any) -> Array:
        coarse_key, fine_key = jax.random.split(key)
        x_k = diffusion.sample_coarse(coarse_key, eps_of(nominal), count, dim, score.grid, coefs)
        noise = jax.random.normal(fine_key, (score.grid.fine, count, dim))
        return diffusion.sample_fine(eps_of(theta), x_k, noise, coefs)[0]

    chosen = np.linspace(0, len(held_out) - 1, min(cfg.likelihood_windows, len(held_out)))
    rows = jnp.asarray(workload.standardise(held_out[chosen.astype(int)], problem.scaler))

    def nll(theta: Any) -> Array:
        return -jnp.mean(diffusion.log_likelihood(eps_of(theta), rows, score.sde))

    models = {"nominal": score.params, "worst_case": players.theta}
    draw, likelihood = jax.jit(jax.vmap(one_seed)), jax.jit(jax.vmap(nll))
    drawn = {name: np.asarray(draw(keys, score.params, theta)) for name, theta in models.items()}
    nats = {name: np.asarray(likelihood(theta)) for name, theta in models.items()}
    spread = np.linspace(0, len(problem.train) - 1, min(count, len(problem.train))).astype(int)
    real = workload.standardise(problem.train[spread], problem.scaler)
    quality = pd.DataFrame(
        {"model": name, "seed": seed}
        | diffusion.assess(real, drawn[name][i])._asdict()
        | {"nll_nats": float(nats[name][i])}
        for name in models
        for i, seed in enumerate(seeds)
    )

    def tokens(x: np.ndarray) -> np.ndarray:
        return np.maximum(workload.unstandardise(x, problem.scaler), 0.0)

    nominal, worst = (tokens(drawn[name][0]) for name in models)
    return Samples(held_out, nominal, worst, quality)
