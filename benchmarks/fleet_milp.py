"""One day of whole replicas: seconds to a gap of .1 %, and the gap where the time is up.

    python benchmarks/fleet_milp.py [--threads 2] [--gurobi-s 10] [--highs-s 60] [--slots 3600 300]

The built-in catalogue (K = 10) over 24 slots with a diurnal demand. `exact_plan` (tightened, with a
rounded start) against the plain program in the same solver.
"""

import argparse
import importlib.util

import numpy as np
from measuring import report

from lpo.optim.milp import solve_milp
from lpo.provision.fleet.catalogue import default_catalogue, to_fleet
from lpo.provision.fleet.exact import exact_plan
from lpo.provision.fleet.program import fleet_program, set_values
from lpo.provision.fleet.units import normalise

SLOTS = 24
GAP = 1e-3


def diurnal_day(peak: float) -> np.ndarray:
    """Demand [24] between .15 and .95 of the peak, with noise of a tenth."""
    rng = np.random.default_rng(0)
    wave = 0.55 - 0.4 * np.cos(2 * np.pi * (np.arange(SLOTS) - 3) / 24)
    return peak * wave * np.exp(0.1 * rng.standard_normal(SLOTS))


def bench(solver: str, slot_s: float, replicas: float, limit_s: float, threads: int) -> None:
    fleet, _ = normalise(to_fleet(default_catalogue(), slot_s))
    demand = diurnal_day(replicas * float(np.mean(fleet.capacity)))
    plan = exact_plan(fleet, demand, solver=solver, time_limit_s=limit_s, gap=GAP, threads=threads)
    program = fleet_program(fleet, SLOTS, integer=True)
    set_values(program, fleet, demand)
    plain = solve_milp(
        program.problem, solver=solver, time_limit_s=limit_s, gap=GAP, threads=threads
    )
    nodes = f"{plan.nodes} nodes, plain {plain.nodes}"
    setting = (
        f"{solver}, {threads} threads, {slot_s:g} s slots, peak of {replicas:g} mean replicas, "
        f"limit {limit_s:g} s; objective {plan.objective:.3f} (plain {plain.objective:.3f}), "
        f"bound {plan.bound:.3f} (plain {plain.bound:.3f}), {nodes}"
    )
    name = f"fleet_milp/{solver}/{slot_s:g}s/{replicas:g}"
    report(f"{name}/seconds", "s", (plan.seconds, plain.seconds), "plain program", setting)
    # A peer without a gap, or with one of 0, leaves no ratio.
    report(f"{name}/gap", "1", (plan.gap, plain.gap or None), "plain program", setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gurobi-s", type=float, default=10.0)
    parser.add_argument("--highs-s", type=float, default=60.0)
    parser.add_argument("--slots", type=float, nargs="+", default=[3600.0])
    arguments = parser.parse_args()
    limits = {"gurobi": arguments.gurobi_s, "highs": arguments.highs_s}
    if importlib.util.find_spec("gurobipy") is None:
        del limits["gurobi"]
    for slot_s in arguments.slots:
        for replicas in (3.0, 10.0, 30.0, 100.0):
            for solver, limit_s in limits.items():
                bench(solver, slot_s, replicas, limit_s, arguments.threads)


if __name__ == "__main__":
    main()
