"""The table of risks: what a bound from samples is worth, and how wide samples should spread.

docs/l2o.md, "Diversity".
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from lpo.l2o.command.building import noise_of
from lpo.l2o.command.competing import drawn_of
from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.world import World, reported
from lpo.l2o.contest import Drawn
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.diversity import best_spread, kl_of_normals, normal_of, risk_bound, weight_of
from lpo.l2o.family import Family, Least, Problem
from lpo.l2o.noise import Normaliser, from_normal, to_normal

DELTA = 0.05
_PROBES = 16  # of the trace of a Hessian
_LOOKED_AT = 64  # problems whose Hessian is looked at
_LEAST_SPREAD = 1e-6  # of the noise: samples that all agree have a divergence without bound


def risk_table(
    cfg: L2oConfig,
    family: Family,
    world: World,
    denoiser: Denoiser,
    params: Any,
    drawn: list[Drawn],
) -> pd.DataFrame:
    """One row for test problems, one for as many training problems; means over seeds.

    params: with a leading axis of seeds. drawn: of the test problems, with the most levels. Empty
    for one sample a problem, which tells nothing of how samples spread.
    """
    if not drawn or drawn[0].each.value.shape[1] < 2:
        return pd.DataFrame()
    assert cfg.samples.levels is not None
    count = min(len(world.least), len(world.known.x))
    known = jax.tree.map(lambda leaf: leaf[:count], world.training.problems)
    on_known = world._replace(problems=known)
    levels: int = max(cfg.samples.levels)
    own = drawn_of(cfg, family, on_known, denoiser, params, levels, cfg.samples.count)
    normaliser, most = world.training.normaliser, noise_of(cfg).most
    typical = _typical(family, world)
    spread, kl = np.mean([_spread_and_kl(normaliser, most, one) for one in own], 0)
    weight = weight_of(kl, count, DELTA)
    trace = float(np.mean([_hessian_trace(family, on_known, one) for one in own])) / typical
    least = reported(family, world.training.value[:count])
    if family.least is Least.ZERO:
        least = jnp.zeros_like(least)
    # what the sampler was never fitted to: one law, whose divergence from itself is none
    test: dict[str, Any] = {"problems": "test", "count": len(world.least), "kl": 0.0}
    test["risk"] = _risk(family, drawn, world.least, typical)
    fitted: dict[str, Any] = {
        "problems": "training",
        "count": count,
        "risk": _risk(family, own, least, typical),
        "kl": kl,
        "spread": spread,
        # a best sample may lie where the objective bends down
        "best_spread": best_spread(max(trace, 0.0), family.dimension, most, weight),
        "hessian_trace": trace,
        "weight": weight,
    }
    rows = [test, fitted]
    for row in rows:
        bound = risk_bound(row["risk"], row["kl"], row["count"], DELTA)
        row["bound"] = min(bound, 1.0)  # more says nothing: no loss is above 1
    return pd.DataFrame(rows)


def _typical(family: Family, world: World) -> float:
    """Mean value at the prior, of validation problems: the loss is fixed before tests are seen."""
    values = jax.vmap(family.objective)(world.validation_starts, world.validation)
    return float(jnp.abs(reported(family, values)).mean())


def _risk(family: Family, drawn: list[Drawn], least: jax.Array, typical: float) -> float:
    """Mean loss of one sample a problem: its excess over `typical`, at most 1."""
    values = np.stack([np.asarray(reported(family, one.each.value[:, 0])) for one in drawn])
    excess = (values - np.asarray(least)) / typical
    return float(np.clip(np.nan_to_num(excess, nan=1.0), 0.0, 1.0).mean())


def _spread_and_kl(normaliser: Normaliser, most: float, drawn: Drawn) -> tuple[float, float]:
    """Of the normal laws about each problem's samples, in normal coordinates, against the noise
    that a sampler begins with; means over problems."""
    mean, sd = normal_of(to_normal(normaliser, drawn.each.x))
    sd = np.maximum(sd, _LEAST_SPREAD * most)
    kl = [kl_of_normals(m, s, np.zeros_like(m), most) for m, s in zip(mean, sd, strict=True)]
    return float(sd.mean()), float(np.mean(kl))


def _hessian_trace(family: Family, world: World, drawn: Drawn) -> float:
    """tr H of the value in normal coordinates at the best samples, mean over some problems, by
    Hutchinson's estimate E v'Hv with random signs v."""
    normaliser = world.training.normaliser
    at = to_normal(normaliser, drawn.best.x[:_LOOKED_AT])
    some = jax.tree.map(lambda leaf: leaf[:_LOOKED_AT], world.problems)
    traces = np.asarray(_traces(family, normaliser, some, at, jax.random.key(0)))
    return float(traces.mean())


@partial(jax.jit, static_argnums=0)
def _traces(
    family: Family, normaliser: Normaliser, problems: Problem, z: jax.Array, key: jax.Array
) -> jax.Array:
    def one(problem: Problem, z: jax.Array, key: jax.Array) -> jax.Array:
        signs = jax.random.rademacher(key, (_PROBES, len(z)), z.dtype)

        def value(z: jax.Array) -> jax.Array:
            return reported(family, family.objective(from_normal(normaliser, z), problem))

        slope = jax.grad(value)
        curved = jax.vmap(lambda v: v @ jax.jvp(slope, (z,), (v,))[1])(signs)
        return curved.mean()

    return jax.vmap(one)(problems, z, jax.random.split(key, len(z)))
