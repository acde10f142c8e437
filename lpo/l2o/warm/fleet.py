"""Learned starts of exact fleet plans. docs/l2o_warm_starts.md, "Two calls"."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.l2o.families.fleet import FleetProblem, fleet, fleet_problems
from lpo.l2o.family import Family
from lpo.l2o.warm.fleet_repair import covering_fleet, whole_fleet
from lpo.l2o.warm.guard import distance, training_range
from lpo.l2o.warm.kinds import Kind, Settings, fitted_point, kind_named
from lpo.provision import Fleet, FleetTask, fleet_cost, round_fleet


class FleetBegin(NamedTuple):
    """replicas: [H, K] whole, to begin from; None for the rounded linear relaxation, which
    `exact_plan` then makes. fell_back: because the guard refused the prediction."""

    replicas: np.ndarray | None
    fell_back: bool


class FleetStart(NamedTuple):
    """As a function, the `start` of `lpo.provision.exact_plan`.

    begin: (fleet, demand [H] tokens) -> `FleetBegin`; the fleet is the task's but for its initial
    replicas. family: of the problems that it learned from, None where nothing is predicted.
    """

    family: Family | None
    begin: Callable[[Fleet, np.ndarray], FleetBegin]

    def __call__(self, fleet: Fleet, demand: np.ndarray) -> np.ndarray | None:
        """Return whole replicas [H, K], or None; raises InputError on another fleet."""
        return self.begin(fleet, demand).replicas


def fleet_start(
    task: FleetTask,
    demand: np.ndarray,
    *,
    predictor: Kind | str = Kind.NONE,
    commit: int | None = None,
    problems: int = 2000,
    key: jax.Array | None = None,
    settings: Settings = Settings(),  # noqa: B008 - an immutable record
) -> FleetStart:
    """Learn starts for exact plans of a task from demand of the past.

    The guard falls back to the rounded linear relaxation where demand is outside the range of
    training, or the start costs more than the mean of training plans, covered and rounded without a
    search.

    **Arguments:**

    - `demand`: [T, H] tokens, row t the slots t, t + 1, ...: of the past alone, if what is planned
      with the starts is to be judged.
    - `predictor`: see `Kind`. `none`, the rounded linear relaxation, is the default because nothing
      that learns was faster (docs/l2o_warm_starts.md, "Measured").
    - `commit`: slots that are run of a plan before the next; None for all.
    - `problems`: training problems, evenly spaced over the demand, at most one a row.
    - `key`: of networks and samples; None for that of seed 0.
    - `settings`: of networks and samplers.

    **Raises:** InputError on an unknown predictor, another width of the demand, and no more
    problems than features.
    """
    kind = kind_named(predictor)
    if kind is Kind.NONE:
        return FleetStart(None, lambda fleet, wanted: FleetBegin(None, False))
    if problems < 1:
        raise InputError(f"`problems` must be at least 1, got {problems}.")
    rows = np.unique(np.linspace(0, len(demand) - 1, problems).astype(int))
    known = fleet_problems(task, demand, rows, task.horizon if commit is None else commit)
    family = fleet(task, known)
    solved = family.solve(known)
    of_networks, of_samples = jax.random.split(jax.random.key(0) if key is None else key)
    known = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), known)
    point = fitted_point(
        kind, family, known, solved, of_networks, settings, lambda x: jnp.maximum(x, 0.0)
    )
    mean, H = np.asarray(solved.x, np.float64).mean(0).reshape(task.horizon, -1), task.horizon

    def told(problem: FleetProblem) -> jax.Array:
        """Demand alone: fleets of exact plans are other mixtures than those of relaxed ones."""
        return family.features(problem)[:H]

    inside = training_range(jax.vmap(told)(known))

    @jax.jit
    def predicted(problem: FleetProblem) -> tuple[jax.Array, jax.Array]:
        x, _ = point(problem, of_samples)
        return x.reshape(H, -1), ~(distance(inside, told(problem)) <= inside.most)

    def begin(fleet: Fleet, wanted: np.ndarray) -> FleetBegin:
        _refuse_other(task, fleet)
        problem = FleetProblem(*(jnp.asarray(x, jnp.float32) for x in (wanted, fleet.initial)))
        n, outside = predicted(problem)
        if not bool(outside):
            found = whole_fleet(fleet, np.asarray(n), wanted, fleet.initial)
            usual = round_fleet(fleet, covering_fleet(fleet, mean, wanted), wanted, sweeps=0)
            found_usd, usual_usd = fleet_cost(fleet, np.stack([found, usual]), wanted).total
            if found_usd <= usual_usd:
                return FleetBegin(found, False)
        return FleetBegin(None, True)

    return FleetStart(family, begin)


def _refuse_other(task: FleetTask, fleet: Fleet) -> None:
    for name, own, given in zip(Fleet._fields, task.fleet, fleet, strict=True):
        if name != "initial" and not np.array_equal(own, given):
            raise InputError(f"`{name}` of the fleet must be that of the task, {own}, got {given}.")
