"""A rolling horizon of allocation solves, cold and with starts, and what each start is worth.

docs/l2o_warm_starts.md, "Rolling horizon".
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.heuristic.planner import plan_heuristically
from lpo.allocate.instance import Instance
from lpo.allocate.model.program import build
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.l2o.families.allocation import AllocationFamily, Multipliers, at
from lpo.l2o.linear import split
from lpo.l2o.warm.guard import guarded
from lpo.l2o.warm.pool import Pool, levels_for, levels_of, whole_plan
from lpo.l2o.warm.predictors import Predictor
from lpo.optim.matrix_milp import solve_matrix


class Begin(NamedTuple):
    """allocation: where to begin, None for nowhere. fell_back: the guard refused a prediction."""

    allocation: Allocation | None
    fell_back: bool = False


Starter = Callable[[Multipliers, Instance, Allocation | None], Begin]
"""(problem, its instance, the plan of the period before) -> `Begin`."""


class Drift(NamedTuple):
    """Hourly changes. cycle: amplitude of the daily cycle of log demand. demand_sd, price_sd: of
    the stationary noise of logarithms; demand_memory, price_memory: from one hour to the next."""

    cycle: float = 0.2
    demand_sd: float = 0.1
    demand_memory: float = 0.8
    price_sd: float = 0.12
    price_memory: float = 0.95


class Solve(NamedTuple):
    """One solve. period, starter: which. fell_back: the guard's. started: a plan was handed over.
    start_usd: its cost, NaN without one. start_s: until it was ready. incumbents: (seconds,
    dollars), seconds from the period's beginning, the making of the start included. end_s: when the
    search ended. objective, bound: dollars. gap, nodes: of the search. note: what the solver said
    of the start."""

    period: int
    starter: str
    fell_back: bool
    started: bool
    start_usd: float
    start_s: float
    incumbents: tuple[tuple[float, float], ...]
    end_s: float
    objective: float
    bound: float
    gap: float
    nodes: int
    note: str


class Row(NamedTuple):
    """Summary of one starter over all periods; medians and means of seconds.

    first_s: until the first incumbent within 1 % of the best known, infinite where none came.
    start_excess: mean of (start - best known) / best known. excess: of the final plans. reached:
    share of periods whose search came within its gap. fallback: share where the guard refused.
    """

    starter: str
    first_s: float
    first_mean_s: float
    end_s: float
    end_mean_s: float
    start_s: float
    start_excess: float
    excess: float
    worst_excess: float
    gap: float
    reached: float
    fallback: float
    started: float


def drifting(
    key: jax.Array,
    types: int,
    tiers: int,
    periods: int,
    drift: Drift = Drift(),  # noqa: B008
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


def nowhere(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
    """The cold start."""
    del problem, instance, previous
    return Begin(None)


def previous_plan(pool: Pool) -> Starter:
    """Yesterday's plan, repaired: its deployments, the best shares, levels that help."""

    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del problem
        if previous is None:
            return Begin(None)
        levels = levels_of(pool, previous)
        return Begin(whole_plan(pool, instance, levels, levels / pool.most).allocation)

    return begin


def planner(
    options: Options, uncertainty: Uncertainty | None, seconds: float, seed: int = 0
) -> Starter:
    """The heuristic of `lpo.allocate`, which learns nothing: what a learned start must beat."""

    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del problem, previous
        found = plan_heuristically(instance, options, uncertainty, seconds=seconds, seed=seed)
        return Begin(found.allocation)

    return begin


def predicted(
    family: AllocationFamily, predictor: Predictor, pool: Pool, key: jax.Array
) -> Starter:
    """A predicted point of the relaxation, past the guard, made whole on the pool.

    The same problem gets the same samples. Where the guard refuses, nothing is handed over.
    """
    columns, layout = family.program.columns, family.program.layout
    C = len(columns.degree)
    J, K = family.program.instance.shape[1:3]

    @jax.jit
    def point(problem: Multipliers) -> tuple[jax.Array, jax.Array]:
        found = predictor.start(problem, key)
        checked = guarded(family.linear, predictor.known, problem, found.z)
        return split(family.linear, found.z)[0], checked.fell_back

    def begin(problem: Multipliers, instance: Instance, previous: Allocation | None) -> Begin:
        del previous
        x, fell_back = point(problem)
        if bool(fell_back):
            return Begin(None, fell_back=True)
        of_pairs = np.zeros((J, K))
        rented = np.asarray(x, np.float64)[layout.replicas : layout.replicas + C]
        np.add.at(of_pairs, (columns.model, columns.tier), rented)
        fraction = of_pairs[pool.model, pool.tier]
        first = levels_for(pool, fraction)
        return Begin(whole_plan(pool, instance, first, fraction).allocation)

    return begin


def roll(
    instance: Instance,
    problems: Sequence[Multipliers],
    starters: Mapping[str, Starter],
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    solver: str = "highs",
    time_limit_s: float | None = 60.0,
    gap: float = 1e-2,
    threads: int | None = 1,
    done: Callable[[Solve, Allocation], None] = lambda solve, plan: None,
    known: Sequence[tuple[Solve, Allocation]] = (),
) -> list[Solve]:
    """Solve every period once for each starter; the plan carried over is the starter's own.

    **Main arguments:**

    - `problems`: of consecutive periods. `starters`: by name. The order of the starters turns by
      one every period, so that none is always the first to find the machine idle.
    - `time_limit_s`: of one period's start and search together. `done`: called after each solve,
      with its plan. `known`: solves of an earlier call and their plans, which are not done again.

    The rest is as in `lpo.optim.matrix_milp.solve_matrix`. Raises InputError as that does, on no
    starters, and where a search ends without a plan.
    """
    if not starters:
        raise InputError("`starters` must name at least one.")
    full = build(instance, options, uncertainty)
    plans: dict[str, Allocation | None] = dict.fromkeys(starters)
    earlier = {(solve.period, solve.starter): (solve, plan) for solve, plan in known}
    names, found = list(starters), []
    for period, problem in enumerate(problems):
        now = at(instance, problem)
        turn = period % len(names)
        for name in (*names[turn:], *names[:turn]):
            if (period, name) in earlier:
                solved, plans[name] = earlier[period, name]
                found.append(solved)
                continue
            clock = perf_counter()
            begun = starters[name](problem, now, plans[name])
            begin = None if begun.allocation is None else full.point(begun.allocation, now.data)
            start_s = perf_counter() - clock
            matrix = full.matrix(now.data)
            before = perf_counter() - clock
            result = solve_matrix(
                matrix,
                solver=solver,
                time_limit_s=None if time_limit_s is None else max(time_limit_s - before, 1e-2),
                gap=gap,
                start=begin,
                threads=threads,
            )
            if result.x is None or result.objective is None:
                raise InputError(f"Period {period} with {name} has no plan: {result.status}.")
            plans[name] = plan = full.allocation(result.x)
            solved = Solve(
                period,
                name,
                begun.fell_back,
                begin is not None,
                np.nan if begin is None else float(matrix.cost @ begin),
                start_s,
                tuple((before + each.seconds, each.objective) for each in result.incumbents),
                before + result.seconds,
                result.objective,
                np.nan if result.bound is None else result.bound,
                np.nan if result.gap is None else result.gap,
                result.nodes,
                " ".join(note for note in result.notes if "start" in note),
            )
            found.append(solved)
            done(solved, plan)
    return found


def first_within(solve: Solve, best: float, within: float = 1e-2) -> float:
    """Return the seconds to the first incumbent of at most (1 + within) best, infinite if none."""
    good = (seconds for seconds, usd in solve.incumbents if usd <= best + within * abs(best))
    return min(good, default=np.inf)


def summary(solves: Sequence[Solve], gap: float = 1e-2) -> list[Row]:
    """Return one row a starter, in the order of their first appearance; best known: over all
    starters of the period."""
    best: dict[int, float] = {}
    for solve in solves:
        best[solve.period] = min(solve.objective, best.get(solve.period, np.inf))
    rows = []
    for name in dict.fromkeys(solve.starter for solve in solves):
        own = [solve for solve in solves if solve.starter == name]
        least = np.array([best[solve.period] for solve in own])
        first = np.array([first_within(solve, best[solve.period]) for solve in own])
        end, make = (np.array([getattr(s, f) for s in own]) for f in ("end_s", "start_s"))
        excess = np.array([solve.objective for solve in own]) / least - 1.0
        begun = np.array([solve.start_usd for solve in own]) / least - 1.0
        rows.append(
            Row(
                name,
                float(np.median(first)),
                float(first.mean()),
                float(np.median(end)),
                float(end.mean()),
                float(np.median(make)),
                float(np.nanmean(begun)) if np.isfinite(begun).any() else np.nan,
                float(excess.mean()),
                float(excess.max()),
                float(np.nanmean([solve.gap for solve in own])),
                float(np.mean([solve.gap <= gap for solve in own])),
                float(np.mean([solve.fell_back for solve in own])),
                float(np.mean([solve.started for solve in own])),
            )
        )
    return rows


def _chain(key: jax.Array, width: int, periods: int, sd: float, memory: float) -> np.ndarray:
    """[periods, width] of AR(1) with stationary standard deviation `sd`."""
    eps = np.asarray(jax.random.normal(key, (periods, width)), np.float64)
    out = [sd * eps[0]]
    for each in eps[1:]:
        out.append(memory * out[-1] + sd * np.sqrt(1.0 - memory**2) * each)
    return np.array(out)
