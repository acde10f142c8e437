"""Who competes on the test problems: classical methods, and samples with what follows them."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.l2o.classical.ishd import ishd_euler
from lpo.l2o.classical.method import Method
from lpo.l2o.classical.tuning import tuned
from lpo.l2o.command.building import RATED, noise_of, polish_of, rateless
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.world import World
from lpo.l2o.contest import Drawn, Trace, draw, follow, follow_best, polish, trace_of
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family
from lpo.l2o.recipes import RECIPES
from lpo.l2o.sampling import Model, Sampler

RATES = np.geomspace(1e-3, 3.0, 15)
"""Tried for methods that have a rate, on validation problems."""

SAMPLES = "diffusion"
"""How the names of what begins with samples begin."""

_DRAWS = 5  # key of samples, beside those of `lpo.l2o.command.world`


class Entry(NamedTuple):
    """What a method has reached. kind: classical, sample or hybrid. trace: of each seed of
    training, one for methods without. seconds: of all test problems, warm. rate: chosen."""

    name: str
    kind: str
    traces: list[Trace]
    seconds: float
    rate: float | None = None


def classical(cfg: L2oConfig, family: Family, world: World) -> list[Entry]:
    """Run every baseline from zero, from the prior, and from several draws of it, as far as the
    recipe has these; rates are tuned on validation problems for each of the first two."""
    assert cfg.baselines is not None and cfg.work is not None
    steps, entries = max(cfg.work), []
    starts = RECIPES[cfg.family.name.name].starts
    for name in cfg.baselines:
        for start in starts[: 1 + starts.index("prior")]:
            begun = world.starts if start == "prior" else jnp.zeros_like(world.starts)
            method, rate = _method(name, cfg, family, world, start)
            trace, seconds = timed(
                lambda method=method, begun=begun: follow(
                    family, method, world.problems, begun, steps
                )
            )
            entries.append(Entry(f"{name}_{start}", "classical", [trace], seconds, rate))
        count = cfg.samples.count
        if count > 1 and "draws" in starts:
            # as many starts as there are samples, with the rate for the prior
            begun = world.more_starts[:, :count]
            trace, seconds = timed(
                lambda method=method, begun=begun: follow_best(
                    family, method, world.problems, begun, steps
                )
            )
            best = f"{name}_prior_best{count}"
            entries.append(Entry(best, "classical", [trace], seconds, rate))
    return entries


def _method(
    name: str, cfg: L2oConfig, family: Family, world: World, start: str
) -> tuple[Method, float | None]:
    if name not in (*RATED, "ishd"):
        return rateless(name, cfg, family), None
    assert cfg.work is not None
    make: Callable[..., Method] = ishd_euler if name == "ishd" else RATED[name]
    begun = world.validation_starts
    begun = begun if start == "prior" else jnp.zeros_like(begun)
    found = tuned(family, make, RATES, world.validation, begun, max(cfg.work))
    return make(family, found.rate), found.rate


def sample_name(levels: int, count: int) -> str:
    """Return the name of the best of `count` samples of so many levels."""
    return f"{SAMPLES}_{levels}" + (f"_best{count}" if count > 1 else "")


def drawn_of(
    cfg: L2oConfig,
    family: Family,
    world: World,
    denoiser: Denoiser,
    params: Any,
    levels: int,
    count: int,
) -> list[Drawn]:
    """Return `count` samples of each test problem, of each seed of params."""
    key = jax.random.fold_in(jax.random.key(cfg.seed), _DRAWS)
    sampler, noise = Sampler(cfg.samples.sampler.name), noise_of(cfg)
    models = [Model(denoiser, own, world.training.normaliser, noise) for own in each_seed(params)]
    return [
        draw(family, model, world.problems, key, count, steps=levels, sampler=sampler)
        for model in models
    ]


def each_seed(params: Any) -> list[Any]:
    """Return the parameters of each network, of params with a leading axis of seeds."""
    seeds = jax.tree.leaves(params)[0].shape[0]
    return [jax.tree.map(lambda leaf, i=i: leaf[i], params) for i in range(seeds)]


def sampled(
    cfg: L2oConfig, family: Family, world: World, denoiser: Denoiser, params: Any
) -> tuple[list[Entry], list[Drawn]]:
    """Run samples of every number of levels, one and the best of several, alone and polished.

    params: with a leading axis of seeds. Also returns the samples with the most levels, of each
    seed.
    """
    assert cfg.samples.levels is not None and cfg.polish.steps is not None
    method = polish_of(cfg, family)
    entries: list[Entry] = []
    every: list[Drawn] = []
    counts = sorted({1, cfg.samples.count})
    for levels in cfg.samples.levels:
        for count in counts:
            drawn, seconds = timed(
                lambda levels=levels, count=count: drawn_of(
                    cfg, family, world, denoiser, params, levels, count
                )
            )
            name = sample_name(levels, count)
            entries.append(Entry(name, "sample", [trace_of(one) for one in drawn], seconds))
            if cfg.polish.steps:
                traces, more = timed(
                    lambda drawn=drawn, steps=cfg.polish.steps: [
                        polish(family, method, world.problems, one, steps) for one in drawn
                    ]
                )
                both = f"{name}_{method.name}"
                entries.append(Entry(both, "hybrid", traces, seconds + more, cfg.polish.rate))
            if levels == max(cfg.samples.levels):
                every = drawn
    return entries, every


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a run returns, and the seconds of a second one, compiled."""
    jax.block_until_ready(run())
    clock = perf_counter()
    found = jax.block_until_ready(run())
    return found, perf_counter() - clock
