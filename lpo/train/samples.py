"""What the score model and the adversary imagine: windows for the figure, quality, likelihood."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from jax.sharding import Mesh

from lpo import diffusion, provision, robust, workload
from lpo.optim import batch_sharding
from lpo.train.config import DiffusionConfig
from lpo.train.methods import Players, Results


class Samples(NamedTuple):
    """Windows in tokens, [n, window]: real training ones, and what both models draw from one seed.

    `quality`: one row a seed and model; distances of samples from real training windows in
    standardised units. `losses`: one row a method and
    seed, its mean loss on windows of either model.
    """

    real: np.ndarray
    nominal: np.ndarray
    worst: np.ndarray
    quality: pd.DataFrame
    losses: pd.DataFrame


def draw_samples(
    keys: Array,
    results: Results,
    players: Players,
    method: str,
    problem: workload.Problem,
    task: provision.Task,
    cfg: DiffusionConfig,
    seeds: list[int],
    mesh: Mesh | None = None,
) -> Samples:
    """Sample the nominal model and what a method imagines at the end, and measure both.

    `keys` [seeds, 2]. `method` names the method that `players` are of. Where it has an adversary
    both start from common noise, and `nll_nats` of both is known: the mean probability-flow
    negative log-likelihood of held-out windows in the model's space, nats per window.
    `mesh`: devices that the sampled windows are split over.
    """
    model, sde, grid, space, nominal = players.score
    window, count = problem.layout.window, cfg.quality_windows
    dim = window + space.extra
    shard = batch_sharding(mesh)
    held_out = problem.validation if len(problem.validation) else problem.tests[problem.own]
    chosen = np.linspace(0, len(held_out) - 1, min(cfg.likelihood_windows, len(held_out)))
    rows = jnp.asarray(space.to_model(held_out[chosen.astype(int)]), jnp.float32)
    axes = robust.NOMINAL_AXES

    def draw(key: Array, theta: Any, nominal: robust.Nominal) -> Array:
        coarse_key, fine_key = jax.random.split(key)
        nominal_eps, eps = (partial(model.apply, params) for params in (nominal.theta, theta))
        x_k = diffusion.sample_coarse(
            coarse_key, nominal_eps, count, dim, grid, nominal.coefs, shard=shard
        )
        noise = shard(jax.random.normal(fine_key, (grid.fine, count, dim)), axis=1)
        return space.to_tokens(diffusion.sample_fine(eps, x_k, noise, nominal.coefs)[0])

    def imagine(key: Array, inner: Any, nominal: robust.Nominal, params: Any) -> Array:
        return players.imagination.imagine(key, inner, nominal, params, count)[1]

    t_fine = float(grid.times[grid.fine])

    def nll(theta: Any, nominal: robust.Nominal) -> Array:
        def eps(x: Array, t: Array) -> Array:  # of the sampled model: the adversary's below t_fine
            fine = (t <= t_fine)[:, None]
            return jnp.where(fine, model.apply(theta, x, t), model.apply(nominal.theta, x, t))

        return -jnp.mean(diffusion.log_likelihood(eps, rows, sde))

    models = {"nominal": nominal.theta}
    if isinstance(players.inner, robust.Player):
        models["worst_case"] = players.inner.adversary.theta
    draw_seeds = jax.jit(jax.vmap(draw, in_axes=(0, 0, axes)))
    nll_seeds = jax.jit(jax.vmap(nll, in_axes=(0, axes)))
    imagined = {
        name: np.asarray(draw_seeds(keys, theta, nominal)) for name, theta in models.items()
    }
    nats = {name: np.asarray(nll_seeds(theta, nominal)) for name, theta in models.items()}
    if "worst_case" not in imagined:
        imagine_seeds = jax.jit(jax.vmap(imagine, in_axes=(0, 0, axes, 0)))
        windows = imagine_seeds(keys, players.inner, nominal, players.last)
        imagined["worst_case"] = np.asarray(windows)
        nats["worst_case"] = np.full(len(seeds), np.nan)
    # windows that do not overlap: a classifier recognises two that share bins
    apart = -(-window // problem.protocol.train_stride)
    real = workload.standardise(problem.train[::apart], problem.scaler)
    quality = pd.DataFrame(
        {"model": name, "seed": seed}
        | diffusion.assess(real, workload.standardise(windows[i], problem.scaler))._asdict()
        | {"nll_nats": float(nats[name][i])}
        for name, windows in imagined.items()
        for i, seed in enumerate(seeds)
    )
    predictors = results.methods | {
        f"{method} (last epoch)": results.methods[method]._replace(params=players.last)
    }
    scale = robust.loss_scale(task, problem.scaler)
    losses = []
    compiled = {}  # one program for all methods with the same network
    for name, trained in predictors.items():
        loss = robust.decision_loss(trained.forecaster, task, problem.layout, scale)
        mean_loss = compiled.setdefault(
            trained.forecaster,
            jax.jit(jax.vmap(lambda params, x, loss=loss: jnp.mean(loss(params, x)))),
        )
        on = {
            f"{law}_loss": np.asarray(mean_loss(trained.params, x)) for law, x in imagined.items()
        }
        losses += [
            {"method": name, "seed": seed} | {law: float(values[i]) for law, values in on.items()}
            for i, seed in enumerate(seeds)
        ]
    nominal_windows, worst_windows = imagined["nominal"][0], imagined["worst_case"][0]
    return Samples(problem.train, nominal_windows, worst_windows, quality, pd.DataFrame(losses))
