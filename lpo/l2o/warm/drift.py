"""Demand and prices that change from hour to hour. docs/l2o_warm_starts.md, "Rolling horizon"."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.l2o.families.allocation import Multipliers


class Drift(NamedTuple):
    """Hourly changes. cycle: amplitude of the daily cycle of log demand. demand_sd, price_sd: of
    the stationary noise of logarithms; demand_memory, price_memory: from one hour to the next."""

    cycle: float = 0.2
    demand_sd: float = 0.1
    demand_memory: float = 0.8
    price_sd: float = 0.12
    price_memory: float = 0.95


def drifting(
    key: jax.Array,
    types: int,
    tiers: int,
    periods: int,
    drift: Drift = Drift(),  # noqa: B008 - an immutable record
) -> list[Multipliers]:
    """Return multipliers of consecutive hours.

    log demand_i = cycle sin(2 pi (t / 24 + phase_i)) + AR(1), phases within a quarter of a day of
    one another; log price_k = AR(1). Both chains begin in their stationary law.
    """
    of_phase, of_demand, of_price = jax.random.split(key, 3)
    phase = np.asarray(0.25 * jax.random.uniform(of_phase, (types,)))
    hours = np.arange(periods)[:, None] / 24.0
    level = drift.cycle * np.sin(2.0 * np.pi * (hours + phase))
    demand = level + _chain(of_demand, types, periods, drift.demand_sd, drift.demand_memory)
    price = _chain(of_price, tiers, periods, drift.price_sd, drift.price_memory)
    return [
        Multipliers(jnp.asarray(np.exp(d), jnp.float32), jnp.asarray(np.exp(c), jnp.float32))
        for d, c in zip(demand, price, strict=True)
    ]


def _chain(key: jax.Array, width: int, periods: int, sd: float, memory: float) -> np.ndarray:
    """[periods, width] of AR(1) with stationary standard deviation `sd`."""
    eps = np.asarray(jax.random.normal(key, (periods, width)), np.float64)
    out = [sd * eps[0]]
    for each in eps[1:]:
        out.append(memory * out[-1] + sd * np.sqrt(1.0 - memory**2) * each)
    return np.array(out)
