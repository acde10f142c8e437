"""The log of the earlier deployment: who was sent where, and what came of it.
docs/bandit_product.md, "The log"."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from lpo.bandit.environment import constant
from lpo.bandit.product.behaviour import probabilities
from lpo.bandit.product.changes import Terms, drawn
from lpo.bandit.product.contexts import CODE, CONTEXT, OUTPUT
from lpo.bandit.product.product import Product, allowed_arms, bill
from lpo.errors import InputError


class Logged(NamedTuple):
    """S decisions in the order of time. row: of the log's requests, [S]. arm: [S]. reward,
    propensity: [S]."""

    row: jax.Array
    arm: jax.Array
    reward: jax.Array
    propensity: jax.Array


class Tables(NamedTuple):
    """Of all requests of the log, float64. probability: of each arm, [n, K]. money, wait: of the
    tokens that were written, [n, K]."""

    probability: np.ndarray
    money: np.ndarray
    wait: np.ndarray


def tables_of(product: Product) -> Tables:
    """Return what the log's draws need."""
    log = product.periods.log
    estimated = bill(product, log, log.values[:, OUTPUT])
    allowed = allowed_arms(product, log.values)
    paid = bill(product, log, log.expected * log.ratio)
    chances = probabilities(product.behaviour, estimated, allowed)
    return Tables(chances, paid.money, paid.wait)


def draw_log(product: Product, tables: Tables, key: jax.Array) -> tuple[Terms, Terms, Logged]:
    """Return an instance: terms of rewards in the log and in the rounds, and the log. Traceable."""
    of_terms, of_rows, of_arms, of_noise = jax.random.split(key, 4)
    before, after = drawn(product.change, product.deployments, product.spread, of_terms)
    requests = product.periods.log
    n, rows = len(requests.time_s), product.rows
    row = jnp.arange(n) if rows == n else jnp.sort(jax.random.permutation(of_rows, n)[:rows])
    chances = constant(tables.probability)[row]
    arm = jax.random.categorical(of_arms, jnp.log(chances))
    code = constant(requests.values[:, CODE])[row]
    low, high = before.quality[arm].T
    reward = (
        low
        + (high - low) * code
        - before.rent[arm] * constant(tables.money)[row, arm]
        - before.slow[arm] * constant(tables.wait)[row, arm]
        + product.noise * jax.random.normal(of_noise, (rows,))
    )
    propensity = jnp.take_along_axis(chances, arm[:, None], axis=-1)[:, 0]
    return before, after, Logged(row, arm, reward, propensity)


def log_table(product: Product, seed: int = 0, x64: bool = False) -> pd.DataFrame:
    """Return the log that `simulate` gives a policy for a seed, one row a decision: the columns of
    `CONTEXT`, `action` (name of an arm), `reward` and `propensity`, as lpo.bandit.ope reads them.
    x64: as of `simulate`, which draws other numbers in double precision.

    Raises InputError on a seed that is negative or 2^32 and more.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"`seed` must be a whole number from 0 to 2^32 - 1, got {seed}.")
    tables = tables_of(product)
    with jax.enable_x64(x64):
        key = jax.random.split(jax.random.key(seed), 3)[0]  # as `simulate` splits it
        logged = jax.jit(lambda key: draw_log(product, tables, key)[2])(key)
    row, arm = np.asarray(logged.row), np.asarray(logged.arm)
    table = pd.DataFrame(product.periods.log.values[row], columns=list(CONTEXT))
    return table.assign(
        action=np.asarray(product.arms)[arm],
        reward=np.asarray(logged.reward, np.float64),
        propensity=np.asarray(logged.propensity, np.float64),
    )
