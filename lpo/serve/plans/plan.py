"""The best steady state of a cluster, and what everything in it is worth. docs/serve.md."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.optim.milp import solve_milp
from lpo.serve.instance import Instance, hardware_notes
from lpo.serve.plans.choice import lexicographic_optimum
from lpo.serve.plans.level_rows import level_values
from lpo.serve.plans.levels import NO_LEVELS, RULES, ServiceLevels, check_levels, limit_of
from lpo.serve.plans.program import (
    FluidProgram,
    Pricing,
    coefficients,
    fluid_program,
    is_money,
    revenue,
    set_values,
    shape_of,
    variables_of,
)
from lpo.serve.plans.variables import Variables
from lpo.serve.rates import Rates, service_rates


class Duals(NamedTuple):
    """What one more would be worth, currency per GPU and second; a derivative of the value.

    gpu []: of one more GPU for the same requests. prefill_slot, mixed_slot, solo_slot []: of one
    more slot for prefill, for decoding on GPUs with a prefill and on those without. arrival [I]: of
    one more request per second. prefilled [I]: of one more request per second whose prefill is
    complete. levels: of one more unit of each limit, [] or [I] as in `ServiceLevels`; not negative
    for what may be at most the limit, not positive for `service_share`, of which there must be at
    least the limit.

    Where the optimum is degenerate they are one-sided, or lie between the two sides. prefill_slot
    is 0 unless every GPU has a prefill, and then what one slot less would cost.
    """

    gpu: float
    prefill_slot: float
    mixed_slot: float
    solo_slot: float
    arrival: np.ndarray
    prefilled: np.ndarray
    levels: dict[str, np.ndarray]


class FluidPlan(NamedTuple):
    """An optimal steady state per GPU; arrays [I] by class.

    x, y_m, y_s: slots with a prefill, with a decode on GPUs that have a prefill, on GPUs that have
    none. q_p, q_d: requests that wait for prefill and for decoding. admitted, completed: requests
    per second that begin a prefill, and that are complete. rejected: requests per second refused on
    arrival, in classes that do not abandon. revenue: currency per second. value: revenue less what
    missed levels cost, plus what the least share is paid; the same as revenue without either.
    excess: by how much each penalised level is missed, in the units of docs/serve.md. notes: what
    else there is to know.
    """

    x: np.ndarray
    y_m: np.ndarray
    y_s: np.ndarray
    q_p: np.ndarray
    q_d: np.ndarray
    admitted: np.ndarray
    completed: np.ndarray
    rejected: np.ndarray
    value: float
    revenue: float
    excess: dict[str, np.ndarray]
    duals: Duals
    notes: tuple[str, ...]


class Infeasible(ValueError):
    """No steady state keeps the service levels; `conflict` names some that exclude each other."""

    def __init__(self, message: str, conflict: tuple[str, ...]):
        super().__init__(message)
        self.conflict = conflict


# Of HiGHS, on rows and reduced costs; the default of 1e-7 shows in the digits that tests compare.
_TOLERANCE = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
# Prefill slots that are held back where all are taken, for the duals: sum x <= 1 follows from the
# row of the solo slots, so that the price of the last prefill slot could be given to either.
_HELD_BACK = 1e-7


def solve_plan(
    instance: Instance,
    levels: ServiceLevels = NO_LEVELS,
    *,
    pricing: Pricing | str = Pricing.BUNDLED,
    disaggregated: bool = False,
) -> FluidPlan:
    """Return the best steady state of an instance (arXiv 2602.02987, fluid model).

    **Arguments:**

    - `levels`: service levels, hard or penalised.
    - `pricing`: whether prompts are paid with the request or when their prefill is complete.
    - `disaggregated`: GPUs with a prefill decode nothing.

    Among the optima that with the fewest prefill slots is taken, of those the one with the fewest
    decodes beside a prefill, then with the prefills of the largest decode / prompt, then with the
    fewest requests lost between prefill and decode. The two kinds of decode slots are shared
    between the classes in the same proportion (where decode_fairness and kv_tokens, which see how
    they are shared, are not asked for).

    **Raises:** InputError on levels out of range, Infeasible where they exclude each other.
    """
    program = fluid_program(instance, levels, pricing, disaggregated=disaggregated)
    return solve_program(program, instance, levels)


def solve_program(
    program: FluidProgram, instance: Instance, levels: ServiceLevels = NO_LEVELS
) -> FluidPlan:
    """Solve a built program at the numbers of another instance and other limits.

    Raises InputError where the program is built for other classes, levels or penalties, and as
    `solve_plan`.
    """
    levels = check_levels(levels, len(instance.arrival))
    shape = program.shape
    if shape_of(instance, levels, shape.pricing, shape.disaggregated) != shape:
        raise InputError(
            "The program is built for other classes or levels than these: the number of classes, "
            "which of them abandon, which levels are asked for and which are penalised must agree."
        )
    given = coefficients(shape, instance, levels)
    # Money in units of the largest number, so that the tolerances mean the same in any currency.
    unit = float(max(np.abs(given[name]).max() for name in given if is_money(name))) or 1.0
    set_values(program, {n: g / unit if is_money(n) else g for n, g in given.items()})
    _solve(program, levels)
    value = unit * float(program.problem.value)  # pyright: ignore[reportArgumentType]
    found = lexicographic_optimum(program.problem, _criteria(program, instance))
    v = variables_of(program, [np.clip(found[leaf], 0.0, None) for leaf in program.leaves])
    if not {"decode_fairness", "kv_tokens"} & set(shape.levels):
        v = _spread(v, service_rates(instance))
    duals = _duals(program, instance, levels, unit, value)
    return _plan(program, instance, v, given, value, duals)


def _solve(program: FluidProgram, levels: ServiceLevels) -> None:
    if _run(program.problem):
        return
    groups = {name: [program.rows[name]] for name in program.shape.levels}
    result = solve_milp(program.problem, solver="highs", groups=groups)
    if result.status != "infeasible":
        raise RuntimeError(f"HiGHS ended with {program.problem.status} on a bounded program.")
    raise Infeasible(_words(result.conflict, levels), result.conflict)


def _run(problem: cp.Problem) -> bool:
    problem.solve(solver=cp.HIGHS, warm_start=False, highs_options=_TOLERANCE)
    return problem.status == cp.OPTIMAL


def _words(conflict: tuple[str, ...], levels: ServiceLevels) -> str:
    named = []
    for name in conflict:
        limit = np.asarray(limit_of(levels, name))
        shown = np.unique(limit)
        number = f"{shown[0]:g}" if len(shown) == 1 else str([float(f"{n:g}") for n in limit])
        named.append(f"`{name}` = {number}")
    if len(named) == 1:
        return f"No steady state keeps {named[0]}: relax it, or make it `Penalised`."
    return (
        f"No steady state keeps {', '.join(named[:-1])} and {named[-1]} together: relax one of "
        "them, or make it `Penalised`."
    )


def _criteria(program: FluidProgram, instance: Instance) -> list[dict[cp.Variable, np.ndarray]]:
    """What the choice among optima looks at, in this order; see `solve_plan`."""
    v, one = program.variables, np.ones(len(instance.arrival))
    work = instance.decode / instance.prompt
    return [{v.x: one}, {v.y_m: one}, {v.x: -work / work.max()}, {v.lost_decode: one}]


def _duals(
    program: FluidProgram, instance: Instance, levels: ServiceLevels, unit: float, value: float
) -> Duals:
    """Of the problem that was solved last, with its parameters as they are."""
    rows, shape = program.rows, program.shape
    if program.variables.x.value.sum() > 1.0 - _HELD_BACK:
        set_values(program, {"prefill_slots": 1.0 - _HELD_BACK})
        held = _run(program.problem)
        set_values(program, {"prefill_slots": 1.0})
        if not held and not _run(program.problem):  # a level needs the last slot
            raise RuntimeError("HiGHS no longer solves what it has solved.")
    prices = {name: unit * np.asarray(row.dual_value) for name, row in rows.items()}
    slots = [float(prices[name]) for name in ("prefill_slot", "mixed_slot", "solo_slot")]

    def change(name: str, moved: dict[str, Any], given: dict[str, Any]) -> np.ndarray:
        """How the left side of a row changes at the same point."""
        left = np.array(rows[name].expr.value)
        set_values(program, moved)
        right = np.array(rows[name].expr.value)
        set_values(program, given)
        return right - left

    # Rows are affine in arrivals and in limits: one unit more gives the derivative.
    of_limits, arrival = {}, prices["arrival"].copy()
    more = instance._replace(arrival=instance.arrival + 1.0)
    impatient = np.array(shape.impatient)
    for name in shape.levels:
        limit = limit_of(levels, name)
        now, higher, busier = (
            level_values(name, each, levels, impatient, at)
            for each, at in ((instance, limit), (instance, limit + 1.0), (more, limit))
        )
        of_limits[name] = -prices[name] * change(name, higher, now)
        if RULES[name].per_class:
            arrival -= prices[name] * change(name, busier, now)
    if shape.least_share:
        now = {"arrival": instance.arrival}
        arrival -= prices["least_share"] * change("least_share", {"arrival": more.arrival}, now)
    # `prefilled` has what is admitted on its left side, which one more request adds to
    gpu = value - float(instance.arrival @ arrival)
    return Duals(
        gpu,
        *slots,
        arrival=arrival,
        prefilled=-prices["prefilled"],
        levels=of_limits,
    )


def _spread(v: Variables, rates: Rates) -> Variables:
    """The same slots and completions, every class with the same ratio of y_m to y_s."""
    tokens = v.y_m / rates.tau + v.y_s * rates.gamma
    share = tokens / (tokens.sum() or 1.0)
    return v._replace(y_m=share * v.y_m.sum(), y_s=share * v.y_s.sum())


def _plan(
    program: FluidProgram,
    instance: Instance,
    v: Variables,
    given: Mapping[str, Any],
    value: float,
    duals: Duals,
) -> FluidPlan:
    impatient = np.array(program.shape.impatient)
    patience = np.where(impatient, instance.patience, np.inf)
    return FluidPlan(
        x=v.x,
        y_m=v.y_m,
        y_s=v.y_s,
        q_p=v.lost_prefill / patience,
        q_d=v.lost_decode / patience,
        admitted=given["prefill_rate"] * v.x,
        completed=given["mixed_rate"] * v.y_m + given["solo_rate"] * v.y_s,
        rejected=np.where(impatient, 0.0, v.lost_prefill),
        value=value,
        revenue=float(revenue(v, given)),
        excess={n: each if RULES[n].per_class else each[0] for n, each in v.excess.items()},
        duals=duals,
        notes=hardware_notes(instance.hardware),
    )
