"""Learned baselines: what else could be trained on the same problems."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from lpo.l2o.classical.method import Method
from lpo.l2o.command.building import polish_of
from lpo.l2o.command.competing import Entry, each_seed, timed
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.world import World
from lpo.l2o.contest import Trace, draw, follow, onward, trace_of
from lpo.l2o.denoisers.unrolled import unrolled
from lpo.l2o.family import Family
from lpo.l2o.learned import layers, regression, unrolls
from lpo.l2o.learned.alista import alista
from lpo.l2o.learned.l2o_dm import l2o_dm
from lpo.l2o.learned.lista import lista
from lpo.l2o.learned.nearest import nearest
from lpo.l2o.learned.optimiser import method_of
from lpo.l2o.learned.predictor import Predictor
from lpo.l2o.learned.rnnprop import rnnprop
from lpo.l2o.learned.solved import Solved
from lpo.l2o.noise import Noise
from lpo.l2o.sampling import Model
from lpo.l2o.training import Objective, make_training
from lpo.optim.training import Training

Train = Callable[[str, Training, Any, int], Any]
"""(name, training, data, steps) -> state, a leading axis of seeds."""

LAYERS = {"lista": (lista, 3e-3), "alista": (alista, 1e-2)}
"""Of LISTA and its like: what makes them, and the rate of training."""
_COUNT = 8  # layers, and gradients, of these and of `unrolled`: as a sample of two levels takes
_BLIND = Noise(99.0, 100.0, 1.0)  # so far away that nothing of a noisy solution can be seen
RULES = {"l2o_dm": l2o_dm, "rnnprop": rnnprop}
_RULE_STEPS = 400


def learned(cfg: L2oConfig, family: Family, world: World, train: Train) -> list[Entry]:
    """Train every learned baseline and run it on the test problems."""
    assert cfg.learned is not None
    makers = {
        "regression": _regression,
        "nearest": _nearest,
        "unrolled": _unrolled,
        **dict.fromkeys(LAYERS, _layers),
        **dict.fromkeys(RULES, _rule),
    }
    return [
        entry for name in cfg.learned for entry in makers[name](name, cfg, family, world, train)
    ]


def _regression(
    name: str, cfg: L2oConfig, family: Family, world: World, train: Train
) -> list[Entry]:
    given: Any = cfg.training  # as the denoiser: the same steps and batches
    known, objective = world.training, Objective(alpha=given.alpha, scale=given.gap_scale)
    data = regression.solved(family, known.problems, world.known, known.normaliser)
    training = regression.make_training(
        family, steps=given.steps, objective=objective, batch=given.batch
    )
    params = train(name, training, data, given.steps).ema
    predictors = [regression.regression(family, own, data) for own in each_seed(params)]
    return _predicted(name, cfg, family, world, predictors)


def _nearest(name: str, cfg: L2oConfig, family: Family, world: World, train: Train) -> list[Entry]:
    del train
    known = nearest(family, world.training.problems, world.known.x)
    return _predicted(name, cfg, family, world, [known])


def _predicted(
    name: str, cfg: L2oConfig, family: Family, world: World, predictors: list[Predictor]
) -> list[Entry]:
    """Points from the problem alone, without a gradient."""
    compiled = [jax.jit(jax.vmap(predict)) for predict in predictors]
    starts, seconds = timed(lambda: [predict(world.problems) for predict in compiled])
    none = jnp.zeros((len(world.least), 1), jnp.int32)
    value = jax.jit(jax.vmap(family.objective))
    traces = [Trace(value(x, world.problems)[:, None], none, none, x) for x in starts]
    return _alone_and_polished(name, "predictor", cfg, family, world, traces, seconds)


def _alone_and_polished(
    name: str,
    kind: str,
    cfg: L2oConfig,
    family: Family,
    world: World,
    traces: list[Trace],
    seconds: float,
) -> list[Entry]:
    """What is learned by itself, and with the polish of samples."""
    method, steps = polish_of(cfg, family), cfg.polish.steps
    assert steps is not None
    further, more = timed(
        lambda: [onward(family, method, world.problems, trace, steps) for trace in traces]
    )
    return [
        Entry(name, kind, traces, seconds),
        Entry(f"{name}_{method.name}", "hybrid", further, seconds + more, cfg.polish.rate),
    ]


def _unrolled(name: str, cfg: L2oConfig, family: Family, world: World, train: Train) -> list[Entry]:
    """The denoiser of that name without diffusion: one guess from the problem alone."""
    given: Any = cfg.training
    denoiser = unrolled(family, _COUNT)
    training = make_training(
        family,
        denoiser,
        _BLIND,
        steps=given.steps,
        objective=Objective(alpha=given.alpha, scale=given.gap_scale),
        batch=given.batch,
        rate=given.rate,
    )
    params = train(name, training, world.training, given.steps).ema
    normaliser, key = world.training.normaliser, jax.random.key(cfg.seed)
    models = [Model(denoiser, own, normaliser, _BLIND) for own in each_seed(params)]
    traces, seconds = timed(
        lambda: [trace_of(draw(family, model, world.problems, key, 1, steps=1)) for model in models]
    )
    return _alone_and_polished(name, "learned", cfg, family, world, traces, seconds)


def _layers(name: str, cfg: L2oConfig, family: Family, world: World, train: Train) -> list[Entry]:
    given: Any = cfg.training  # as the denoiser: the same steps and batches
    make, rate = LAYERS[name]
    own = make(family, _COUNT)
    training = layers.make_training(family, own, steps=given.steps, batch=given.batch, rate=rate)
    data = Solved(world.training.problems, world.known)
    params = train(name, training, data, given.steps).params
    methods = [layers.method_of(family, own, each) for each in each_seed(params)]
    found = _followed(name, family, world, methods, jnp.zeros_like(world.starts), own.count)
    return _alone_and_polished(name, found.kind, cfg, family, world, found.traces, found.seconds)


def _rule(name: str, cfg: L2oConfig, family: Family, world: World, train: Train) -> list[Entry]:
    own = RULES[name]()
    training = unrolls.make_training(family, own, steps=_RULE_STEPS)
    data = Solved(world.training.problems, world.known)
    params = train(name, training, data, _RULE_STEPS).params
    methods = [method_of(family, own, each) for each in each_seed(params)]
    assert cfg.work is not None
    return [_followed(f"{name}_prior", family, world, methods, world.starts, max(cfg.work))]


def _followed(
    name: str, family: Family, world: World, methods: list[Method], starts: jax.Array, steps: int
) -> Entry:
    runs = [partial(follow, family, method, world.problems, starts, steps) for method in methods]
    traces, seconds = timed(lambda: [run() for run in runs])
    return Entry(name, "learned", traces, seconds)
