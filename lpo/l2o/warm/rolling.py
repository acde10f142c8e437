"""A rolling horizon of allocation solves, once from each start.

docs/l2o_warm_starts.md, "Rolling horizon".
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.model.program import build
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.errors import InputError
from lpo.l2o.families.allocation import Multipliers, at
from lpo.l2o.warm.starters import Starter
from lpo.optim.matrix_milp import solve_matrix


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
