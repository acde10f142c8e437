"""The heuristic and the lower bound: how far from the optimum, and how long on a large instance.

    python benchmarks/allocate_heuristic.py [--seconds 5] [--bound-s 300] [--gammas 0 1 2 50]

The published size against the exact solution (peer): excess of the plan, and seconds. The large
one, 100 query types x 30 models x 60 tiers, has no exact solution: the plan's gap to the bound, and
the seconds of both, without and with link rows in the bound.
"""

import argparse
from time import perf_counter

import numpy as np
from measuring import report

from lpo.allocate.heuristic.bound import gap, lower_bound
from lpo.allocate.heuristic.planner import Heuristic, plan_heuristically
from lpo.allocate.instance import Instance
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty, budget
from lpo.allocate.validate.audit import audit

SEEDS = (42, 0, 1, 2)
LARGE = (100, 30, 60)
SINGLE = Options(single_placement=True)


def published(gamma: float, options: Options, seconds: float) -> None:
    sets = budget(gamma, gamma)
    for seed in SEEDS:
        instance = generate("robust", seed, legacy_stream=True)
        found = planned(instance, options, sets, seconds)
        bound = lower_bound(instance, options, sets)
        start = perf_counter()
        exact = solve_allocation(instance, options, sets, solver="highs", threads=1)
        exact_s = perf_counter() - start
        assert found.objective is not None and exact.objective is not None
        setting = (
            f"preset robust, seed {seed}, Gamma {gamma:g}, {what(options)}; "
            f"plan {found.objective:.4f}, optimum {exact.objective:.4f}, bound {bound.value:.4f}"
        )
        name = f"allocate_heuristic/{seed}/{gamma:g}/{what(options)}"
        excess = found.objective / exact.objective - 1.0
        report(f"{name}/excess", "1", (excess, None), None, setting)
        report(f"{name}/seconds", "s", (found.seconds, exact_s), "exact, HiGHS", setting)


def large(gamma: float, options: Options, seconds: float, bound_s: float) -> None:
    sets, instance = budget(gamma, gamma), generate("robust", 0, size=LARGE)
    found = planned(instance, options, sets, seconds)
    assert found.objective is not None
    name = f"allocate_heuristic/large/{gamma:g}/{what(options)}"
    for links in (False, True):
        bound = lower_bound(instance, options, sets, seconds=bound_s, links=links)
        setting = (
            f"{LARGE} query types, models, tiers, seed 0, Gamma {gamma:g}, {what(options)}; plan "
            f"{found.objective:.2f} after {found.evaluations} evaluations, "
            f"bound {bound.value:.2f} ({bound.kind})"
        )
        kind = "linked" if links else "relaxation"
        report(f"{name}/bound/{kind}", "s", (bound.seconds, None), None, setting)
        report(f"{name}/gap/{kind}", "1", (gap(found.objective, bound.value), None), None, setting)
    report(f"{name}/seconds", "s", (found.seconds, None), None, setting)


def planned(instance: Instance, options: Options, sets: Uncertainty, seconds: float) -> Heuristic:
    found = plan_heuristically(instance, options, sets, seconds=seconds)
    assert found.allocation is not None
    assert audit(instance, found.allocation, options, sets).ok
    return found


def what(options: Options) -> str:
    return "single placement" if options.single_placement else "split"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--bound-s", type=float, default=300.0)
    parser.add_argument("--gammas", type=float, nargs="+", default=[0.0, 1.0, 2.0, 50.0])
    arguments = parser.parse_args()
    cases = [(gamma, CORRECTED) for gamma in arguments.gammas] + [(np.inf, SINGLE)]
    for gamma, options in cases:
        published(gamma, options, arguments.seconds)
    for gamma, options in cases:
        large(gamma, options, arguments.seconds, arguments.bound_s)


if __name__ == "__main__":
    main()
