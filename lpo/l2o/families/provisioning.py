"""Provisioning as a parametric linear program: GPUs of few types for few models.

minimise sum_{j,k} price_k x_{jk} + sum_j q s_j over
  sum_k rate_{jk} x_{jk} + s_j >= demand_j   (a row a model),
  -sum_j x_{jk} >= -stock_k                  (a row a GPU type),
  0 <= x <= stock, 0 <= s <= most,
x_{jk}: GPUs of type k that serve model j; s_j: demand that nobody serves. docs/l2o_warm_starts.md.
"""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.l2o.linear import LinearFamily, features_by

# Own choice. Weights in GB at two bytes a parameter; memory (GB), bandwidth (GB/s) and a usual
# price ($ an hour) of one GPU.
MODELS = {"8B": 16.0, "14B": 28.0, "32B": 64.0, "70B": 140.0}
GPUS = {
    "L4": (24.0, 300.0, 0.70),
    "L40S": (48.0, 864.0, 1.60),
    "A100_40GB": (40.0, 1555.0, 2.00),
    "A100_80GB": (80.0, 2039.0, 2.60),
    "H100_80GB": (80.0, 3350.0, 4.20),
}
_SPLIT = 0.12  # of the rate that each doubling of the GPUs of a replica costs
_USD = 10.0  # the unit of money: costs of a plan are about 1
_RATE = 40.0  # the unit of rates: GPUs of a plan are about 1 in units of 10


class Provisioning(NamedTuple):
    """demand: [J], 1 is usual. price: [K], in `price_unit` dollars an hour for 10 GPUs."""

    demand: jax.Array
    price: jax.Array


class Arms(NamedTuple):
    """The fixed numbers. rate: [J, K], demand that a unit of GPUs serves. stock: [K], units.
    unmet_usd: q. most_unmet: upper bound of s."""

    rate: np.ndarray
    stock: np.ndarray
    unmet_usd: float
    most_unmet: float


def arms() -> Arms:
    """Return the numbers of the built-in models and GPU types.

    A model that does not fit a GPU is split over the least power of two that holds it with a fifth
    to spare; memory bandwidth over weights bounds the rate of decoding.
    """
    weights = np.array(list(MODELS.values()))[:, None]
    memory, bandwidth, _ = np.array(list(GPUS.values())).T
    doublings = np.ceil(np.log2(np.maximum(weights / (0.8 * memory), 1.0)))
    rate = bandwidth / weights * (1.0 - _SPLIT) ** doublings / _RATE
    rate *= np.array([0.3, 0.6, 1.2, 2.4])[:, None]  # usual demand falls with size
    stock = np.array([2.2, 2.8, 2.2, 2.2, 1.7])
    # as float32 has them, so that a plan that is feasible here is so on every side
    rate, stock = (part.astype(np.float32).astype(np.float64) for part in (rate, stock))
    return Arms(rate, stock, 10.0, 8.0)


@cache
def provisioning(
    demand_spread: float = 0.4,
    price_spread: float = 0.25,
    *,
    demand_factor: float = 1.0,
    price_factor: tuple[float, ...] = (1.0,) * 5,
) -> LinearFamily:
    """Return the family: 4 models x 5 GPU types, 24 variables, 9 rows, p = 4 demands + 5 prices.

    **Arguments:**

    - `demand_spread`, `price_spread`: standard deviations of the logarithms of demand and prices.
    - `demand_factor`, `price_factor`: a shift of what is drawn; features are normalised by the
      draws without it, as a model that was trained before the shift would.

    **Raises:** InputError on spreads or factors that are not positive.
    """
    factors = np.array([demand_factor, *price_factor])
    if len(factors) != 1 + len(GPUS) or not (np.isfinite(factors) & (factors > 0.0)).all():
        raise InputError(f"Factors must be 1 and {len(GPUS)} positive numbers, got {factors}.")
    if not (0.0 < demand_spread < np.inf and 0.0 < price_spread < np.inf):
        raise InputError(f"Spreads must be positive, got {demand_spread}, {price_spread}.")
    own = arms()
    J, K = own.rate.shape
    usual = np.array([price for *_, price in GPUS.values()])
    j, k = np.divmod(np.arange(J * K), K)
    slack = J * K + np.arange(J)
    entries = np.concatenate([own.rate.ravel(), np.ones(J), -np.ones(J * K)])
    constant = np.array(entries, np.float32)

    def drawn(key: jax.Array, demand_factor: float, price_factor: np.ndarray) -> Provisioning:
        of_demand, of_price = jax.random.split(key)
        demand = jnp.exp(demand_spread * jax.random.normal(of_demand, (J,)))
        price = jnp.exp(price_spread * jax.random.normal(of_price, (K,)))
        level = jnp.asarray(usual / _USD * price_factor, price.dtype)
        return Provisioning(demand_factor * demand, level * price)

    def raw(problem: Provisioning) -> jax.Array:
        return jnp.log(jnp.concatenate([problem.demand, problem.price]))

    def cost(problem: Provisioning) -> jax.Array:
        q = jnp.full(J, own.unmet_usd, problem.price.dtype)
        return jnp.concatenate([jnp.tile(problem.price, J), q])

    def right(problem: Provisioning) -> jax.Array:
        return jnp.concatenate([problem.demand, -jnp.asarray(own.stock, problem.demand.dtype)])

    return LinearFamily(
        name="provisioning",
        sample=lambda key: drawn(key, demand_factor, np.array(price_factor)),
        cost=cost,
        row=np.concatenate([j, np.arange(J), J + k]),
        column=np.concatenate([np.arange(J * K), slack, np.arange(J * K)]),
        entries=lambda problem: jnp.asarray(constant, problem.demand.dtype),
        right=right,
        equal=np.zeros(J + K, bool),
        lower=np.zeros(J * K + J),
        upper=np.append(np.tile(own.stock, J), np.full(J, own.most_unmet)),
        features=features_by(
            lambda key: drawn(key, 1.0, np.ones(K)), raw, jax.random.PRNGKey(0), count=4096
        ),
    )
