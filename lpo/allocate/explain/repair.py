"""What an instance without a plan needs: the least relaxation of its limits that gives one.

docs/allocate_explain.md.
"""

import math
from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.explain.elastic import Elastic, make_elastic, relaxable
from lpo.allocate.explain.limits import Relaxation, place_of, value_of
from lpo.allocate.instance import Instance
from lpo.allocate.model.columns import make_columns
from lpo.allocate.model.exact import ellipsoids as cones
from lpo.allocate.model.exact import first_cuts as first_cuts
from lpo.allocate.model.exact import violated_cuts as violated_cuts
from lpo.allocate.model.program import Program, build
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.outcome import MilpStatus


class Repair(NamedTuple):
    """How an instance without a plan can get one.

    status: how the search for `together` ended; infeasible where no relaxation of these limits is
    enough. together: limits to relax at once, with the least sum of relative relaxations; () where
    none is needed or found. total: that sum, and bound: no relaxation has a smaller one. alone: for
    each limit that was tried, what it takes if nothing else changes. allocation: a plan within the
    relaxed limits, not the cheapest. solver, seconds, notes: as in `Solved`.
    """

    status: MilpStatus
    together: tuple[Relaxation, ...]
    total: float | None
    bound: float | None
    alone: tuple[Relaxation, ...]
    allocation: Allocation | None
    solver: str
    seconds: float
    notes: tuple[str, ...]


def least_relaxation(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    limits: Sequence[str] | None = None,
    alone: Sequence[str] | None = (),
    solver: str = "auto",
    time_limit_s: float | None = None,
    gap: float = 1e-4,
    threads: int | None = None,
) -> Repair:
    r"""Return the least relaxation of named limits that makes the instance feasible.

    **together** minimises $\sum_l s_l$ over the limits $(1 + s_l) b_l$, a mixed-integer program
    (`make_elastic`; "elastic filter" in Chinneck, "Feasibility and infeasibility in optimization",
    2008, chapter 6). The sum of relative relaxations tends to change few limits. A limit b of 0
    counts in units of one GPU or one per cent of the queries.

    **alone** minimises one s_l while the others stay. Only a limit in every conflict can repair an
    instance alone, so those of one conflict (`Solved.conflict`) are enough to try.

    **Arguments:**

    - `limits`: names to relax, None for all that can be: delay and error of each query type, unmet
      cap (at most 1), budget, storage, GPUs of the tiers that are counted. Memory and compute of
      a GPU are the hardware's: multiplied with the replicas, they would make the program bilinear,
      and nobody can buy a tenth more of them.
    - `alone`: names to try alone, () for none; those that cannot be relaxed are left out.
    - `time_limit_s`: of all searches together; `gap`, `solver`, `threads`: as in
      `solve_allocation`, of each.

    What is told is rounded up in the sixth digit, so that the relaxed limits do hold.

    Raises InputError on a name that is unknown, there twice, or (in `limits`) cannot be relaxed,
    and as `solve_allocation` does; `lpo.optim.outcome.Interrupted` when the user stops it.
    """
    clock = perf_counter()
    can = relaxable(instance)
    chosen = can if limits is None else list(limits)
    tried = [limit for limit in alone or () if place_of(instance, limit) and limit in can]
    # A limit of no GPUs leaves their tier without columns.
    endless = np.full_like(instance.data.tier_limit, np.inf)
    unlimited = instance._replace(data=instance.data._replace(tier_limit=endless))
    program = build(instance, options, uncertainty, columns=make_columns(unlimited))

    def search(names: Sequence[str], part: float) -> _Found:
        left = None
        if time_limit_s is not None:
            left = max(part * (time_limit_s - (perf_counter() - clock)), 1e-3)
        return _search(program, names, solver, left, gap, threads)

    first = search(chosen, 0.5 if tried else 1.0)
    notes, apart = list(first.notes), []
    for place, limit in enumerate(tried):
        found = search([limit], 1.0 / (len(tried) - place))
        notes += [f"{limit} alone: {note}" for note in found.notes if note not in first.notes]
        apart += found.relaxations
        if found.status is MilpStatus.INFEASIBLE:
            apart.append(_relaxation(instance, limit, math.inf))
        elif found.total is None:
            notes.append(f"{limit} alone: no answer, the search ended with {found.status}.")
    return Repair(
        status=first.status,
        together=first.relaxations,
        total=first.total,
        bound=first.bound,
        alone=tuple(apart),
        allocation=first.allocation,
        solver=first.solver,
        seconds=perf_counter() - clock,
        notes=tuple(dict.fromkeys(notes)),
    )


class _Found(NamedTuple):
    status: MilpStatus
    relaxations: tuple[Relaxation, ...]
    total: float | None
    bound: float | None
    allocation: Allocation | None
    solver: str
    notes: tuple[str, ...]


def _search(
    program: Program,
    limits: Sequence[str],
    solver: str,
    time_limit_s: float | None,
    gap: float,
    threads: int | None,
) -> _Found:
    """The least relaxation of these limits together."""
    data, begin, n = program.instance.data, perf_counter(), program.layout.n
    cuts = [first_cuts(program, data, place) for place in cones(program)]
    left = time_limit_s
    while True:
        elastic = make_elastic(program, limits, cuts)
        result = solve_matrix(
            elastic.program, solver=solver, time_limit_s=left, gap=gap, threads=threads
        )
        if result.x is None:
            break
        further = violated_cuts(program, data, result.x[:n])
        if not further:
            break
        cuts.extend(further)
        if time_limit_s is not None:
            left = max(time_limit_s - (perf_counter() - begin), 1e-3)
    notes = list(result.notes)
    if result.status is MilpStatus.FEASIBLE:
        notes.append("The search was stopped: a smaller relaxation may do.")
    if result.x is None:
        return _Found(result.status, (), None, result.bound, None, result.solver, tuple(notes))
    return _Found(
        result.status,
        tuple(_relaxations(program.instance, elastic, result.x)),
        result.objective,
        result.bound,
        program.allocation(result.x[:n]),
        result.solver,
        tuple(notes),
    )


_NOTHING = 1e-7  # of a limit: what solvers leave behind


def _relaxations(instance: Instance, elastic: Elastic, x: np.ndarray) -> list[Relaxation]:
    """Those of them that relax anything, the largest first."""
    found = []
    for limit, column in elastic.slack.items():
        if x[column] > _NOTHING:
            to = value_of(instance, limit) + x[column] * elastic.size[limit]
            found.append(_relaxation(instance, limit, _rounded_up(to)))
    return sorted(found, key=lambda each: -each.relative)


def _relaxation(instance: Instance, limit: str, to: float) -> Relaxation:
    place, value = place_of(instance, limit), value_of(instance, limit)
    if place.name == "unmet cap" and math.isfinite(to):
        to = min(to, 1.0)
    relative = to / value - 1.0 if value > 0.0 else math.inf
    return Relaxation(limit, value, to, place.kind.unit, relative)


def _rounded_up(value: float) -> float:
    """To six digits; only what a solver cannot know, 1e-10 of it, is dropped."""
    digits = 5 - math.floor(math.log10(value))
    return round(math.ceil(value * 10.0**digits * (1.0 - 1e-10)) / 10.0**digits, max(digits, 0))
