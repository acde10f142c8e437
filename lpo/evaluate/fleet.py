"""Fleets planned over a rolling horizon from forecasts, priced by the demand that came."""

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from lpo import provision
from lpo.evaluate.rows import Outcome
from lpo.l2o.warm.fleet import FleetStart
from lpo.optim import MilpStatus, solve_milp

BOUND_SLOTS = 120  # slots of one linear program of the bound


class Rolled(NamedTuple):
    """Fleets that are run, [..., T, K] replicas, and how they were found.

    gap: largest relative gap of an exact plan, NaN for other decisions. fallback: share of exact
    plans whose predicted start the guard refused, NaN without predictions. solver: what solved
    them. seconds: of all plans.
    """

    n: np.ndarray
    gap: float
    fallback: float
    solver: str
    seconds: float


def roll_fleets(
    task: provision.FleetTask,
    decision: str,
    forecasts: np.ndarray,
    commit: int,
    *,
    solver: str,
    gap: float,
    time_limit_s: float,
    advance: Callable[[int], Any],
    start: FleetStart | None = None,
) -> Rolled:
    """Plan and run a fleet for each row of forecasts [B, P, H]: relaxed, rounded or exact plans.

    Every plan starts from the fleet that runs; `commit` slots of it are run. `advance` is told of
    every finished plan. start: where the search of an exact plan begins, None for the task's
    relaxation, rounded.
    """
    gaps, fell_back, solvers = [np.nan], [], set()

    def plan(forecast: np.ndarray, initial: np.ndarray) -> np.ndarray:
        wanted, running = np.maximum(forecast, 0.0), np.rint(initial)
        if decision == "exact" and start is not None:
            return exact(wanted, running, map(predicted, wanted, running))
        relaxed = np.asarray(task.plan(forecast, initial))
        if decision == "relaxed":
            advance(len(forecast))
            return relaxed
        rounded = provision.round_fleet(task.fleet, relaxed, wanted, initial=running)
        if decision == "rounded":
            advance(len(forecast))
            return rounded
        return exact(wanted, running, rounded)

    def predicted(demand: np.ndarray, before: np.ndarray) -> np.ndarray | None:
        assert start is not None
        begin = start.begin(task.fleet._replace(initial=before), demand)
        fell_back.append(begin.fell_back if start.family is not None else np.nan)
        return begin.replicas

    def exact(
        wanted: np.ndarray, running: np.ndarray, begins: Iterable[np.ndarray | None]
    ) -> np.ndarray:
        plans = []
        for demand, before, begin in zip(wanted, running, begins, strict=True):
            exact = provision.exact_plan(
                task.fleet._replace(initial=before),
                demand,
                start=begin,
                solver=solver,
                gap=gap,
                time_limit_s=time_limit_s,
            )
            plans.append(exact.n)
            gaps.append(exact.gap)
            solvers.add(exact.solver)
            advance(1)
        return np.stack(plans)

    clock = perf_counter()
    n = provision.roll(plan, forecasts, task.fleet.initial, commit)
    used = "+".join(sorted(solvers)) if decision == "exact" else "interior point"
    return Rolled(
        n,
        float(np.nanmax(gaps)) if len(gaps) > 1 else np.nan,
        float(np.mean(fell_back)) if fell_back else np.nan,
        used,
        perf_counter() - clock,
    )


def outcome(
    fleet: provision.Fleet, n: np.ndarray, oracle: np.ndarray, demand: np.ndarray, commit: int
) -> Outcome:
    """Cost of the fleets n and oracle, [T, K], at the demand [T], by plan of `commit` slots."""
    mine, best = (_by_plan(fleet, each, demand, commit) for each in (n, oracle))
    wanted = demand.reshape(-1, commit).sum(axis=-1)
    columns = (mine.total, best.total, wanted, mine.unserved_share * wanted, mine.gpus, best.gpus)
    return Outcome(*(np.asarray(column) for column in columns))


def _by_plan(
    fleet: provision.Fleet, n: np.ndarray, demand: np.ndarray, commit: int
) -> provision.FleetCost:
    by_plan = n.reshape(-1, commit, n.shape[-1])
    before = np.concatenate([fleet.initial[None], by_plan[:-1, -1]])
    carried = fleet._replace(initial=before[:, None, :])
    return provision.fleet_cost(carried, by_plan, demand.reshape(-1, commit))


def lower_bound(fleet: provision.Fleet, demand: np.ndarray) -> float:
    """Dollars that no fleet, whole or not, can go below at the demand [T] known in advance.

    The linear relaxation without ridges, in stretches of `BOUND_SLOTS` slots of which every one but
    the first may begin with any fleet for nothing: both only leave constraints and costs out.
    """
    fleet, units = provision.normalise(fleet)  # solvers take tolerances as absolute
    demand = demand / units.tokens
    total = 0.0
    anything = np.ceil(demand.max() / fleet.capacity) + fleet.initial
    for first in range(0, len(demand), BOUND_SLOTS):
        stretch = demand[first : first + BOUND_SLOTS]
        program = provision.fleet_program(fleet, len(stretch))
        before = fleet.initial if first == 0 else anything
        provision.set_values(program, fleet._replace(initial=before), stretch)
        result = solve_milp(program.problem, solver="highs")
        if result.status is not MilpStatus.OPTIMAL or result.bound is None:
            raise RuntimeError(f"the bound's linear program ended as {result.status}")
        total += result.bound
    return total * units.usd
