"""Fleet plans as a family: replicas over the horizon, from the demand and the fleet that runs.

x: [H K] replicas of the relaxed problem of a `FleetTask`, slot after slot. docs/l2o_warm_starts.md.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.l2o.family import Family, Labels
from lpo.provision import FleetTask, fleet_cost

_ROUNDS = 3  # plans that a training problem's fleet has behind it
_LEAST = 1e-3  # of the mean demand: what logarithms count as none


class FleetProblem(NamedTuple):
    """demand: [H] tokens. initial: [K] replicas that run before the first slot."""

    demand: Any
    initial: Any


def fleet_problems(
    task: FleetTask, demand: np.ndarray, rows: np.ndarray, commit: int
) -> FleetProblem:
    """Return training problems, leaves [M, ...]: demands, and fleets that earlier plans left there.

    **Arguments:**

    - `demand`: [T, H] tokens, row t the slots t, t + 1, ...
    - `rows`: [M], those to return.
    - `commit`: slots that are run of a plan before the next.

    The fleet before row t is what `_ROUNDS` relaxed plans, `commit` slots apart, the first from the
    task's own fleet, have left, to the nearest whole replicas; fewer where t is too early. Raises
    InputError on another width of the demand.
    """
    if demand.ndim != 2 or demand.shape[1] != task.horizon:
        raise InputError(f"`demand` must be [T, {task.horizon}], got {demand.shape}.")
    own = np.asarray(task.fleet.initial, np.float64)
    initial = np.tile(own, (len(rows), 1))
    for back in range(_ROUNDS, 0, -1):
        before = rows - back * commit
        left = np.asarray(task.plan(demand[np.maximum(before, 0)], initial))[:, commit - 1]
        initial = np.where(before[:, None] >= 0, np.rint(left), own)
    return FleetProblem(np.asarray(demand[rows]), initial)


def fleet(task: FleetTask, problems: FleetProblem) -> Family:
    """Return the family of the task's plans; `sample` draws one of the problems, leaves [M, ...].

    The objective is the task's cost, what is negative counting as no replica, over what serving the
    mean demand costs on busy replicas of the cheapest configuration. Features [H + K] are the log
    of demand and the capacity that runs by configuration, in units of the mean demand. Labels are
    by `task.plan`.
    """
    H, own = task.horizon, task.fleet
    K, usual = len(own.price), float(np.mean(problems.demand))
    usd = H * usual * float(np.min(own.price / own.capacity + own.energy))
    known = jax.tree.map(lambda leaf: np.array(leaf, np.float32), problems)

    def sample(key: jax.Array) -> FleetProblem:
        row = jax.random.randint(key, (), 0, len(known.demand))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[row], known)

    def objective(x: jax.Array, problem: FleetProblem) -> jax.Array:
        n = jnp.maximum(x, 0.0).reshape(H, K)
        started = own._replace(initial=problem.initial)
        return jnp.asarray(fleet_cost(started, n, problem.demand).total) / usd

    def solve(problems: FleetProblem) -> Labels:
        demand, initial = (np.asarray(leaf, np.float64) for leaf in problems)
        x = jnp.asarray(task.plan(demand, initial), jnp.float32).reshape(-1, H * K)
        return Labels(x, jax.vmap(objective)(x, jax.tree.map(jnp.asarray, problems)))

    def features(problem: FleetProblem) -> jax.Array:
        share = jnp.asarray(problem.initial * own.capacity / usual)
        return jnp.concatenate([jnp.log(problem.demand / usual + _LEAST), share])

    return Family("fleet", H * K, sample, objective, lambda key: jnp.zeros(H * K), solve, features)
