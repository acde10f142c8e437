"""The published size: exact plans by both solvers, and the differentiable relaxation.

    python benchmarks/allocate_exact.py [--gap 1e-4]

Seconds with building included, one thread. The relaxation is timed forward and backward, warm,
against the DIFFCP back end of cvxpylayers (Clarabel) on the same problem.
"""

import argparse
import importlib.util
from statistics import median
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
from measuring import report, timed

from lpo.allocate.instance import InstanceData
from lpo.allocate.instances.generate import generate
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.model.relaxation import make_relaxation
from lpo.allocate.uncertainty import budget
from lpo.optim.matrix_layer import matrix_layer

SEEDS = (42, 0, 1, 2)


def exact(gap: float) -> None:
    solvers = ["highs"] + ["gurobi"] * (importlib.util.find_spec("gurobipy") is not None)
    for gamma in (0.0, 1.0, 2.0, 50.0):
        for seed in SEEDS:
            instance = generate("robust", seed, legacy_stream=True)
            seconds, values = {}, {}
            for solver in solvers:
                start = perf_counter()
                solved = solve_allocation(
                    instance, uncertainty=budget(gamma, gamma), solver=solver, gap=gap, threads=1
                )
                seconds[solver], values[solver] = perf_counter() - start, solved.objective
            setting = (
                f"preset robust, seed {seed}, Gamma {gamma:g}, gap {gap:g}; objectives {values}"
            )
            peer = "HiGHS" if len(solvers) == 2 else None
            ours = seconds.get("gurobi", seconds["highs"])
            name = f"allocate_exact/{seed}/{gamma:g}"
            report(name, "s", (ours, seconds["highs"] if peer else None), peer, setting)


def relaxation() -> None:
    jax.config.update("jax_enable_x64", True)
    instance = generate("robust", SEEDS[0], legacy_stream=True)
    data = InstanceData(*(jnp.asarray(part) for part in instance.data))
    for gamma in (np.inf, 2.0):
        relaxed = make_relaxation(instance, budget(gamma, gamma))
        value = jax.jit(jax.value_and_grad(lambda data, f=relaxed: f(data).cost))
        timed(value, data)
        ours = median(timed(value, data) for _ in range(5))
        # cvxpylayers' back end cannot be jitted
        other = relaxed._replace(layer=matrix_layer(relaxed.pattern, backend="diffcp"))
        plain = jax.value_and_grad(lambda data, f=other: f(data).cost)
        timed(plain, data)
        peer = median(timed(plain, data) for _ in range(3))
        n = relaxed.program.layout.n
        setting = f"forward and backward, {n} variables, Gamma {gamma:g}, warm, medians, float64"
        name = f"allocate_relaxation/{gamma:g}"
        report(name, "ms", (1e3 * ours, 1e3 * peer), "cvxpylayers DIFFCP, Clarabel", setting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gap", type=float, default=1e-4)
    exact(parser.parse_args().gap)
    relaxation()


if __name__ == "__main__":
    main()
