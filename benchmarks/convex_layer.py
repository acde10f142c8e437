"""Differentiable layers on the fleet problem (H = 12, K = 10): errors and time of every back end.

    python benchmarks/convex_layer.py [--data $LPO_DATA] [--batches 32 128] [--repeats 5]

Needs the instance file below the data folder. Peer: cvxpylayers with DIFFCP and Clarabel, its
`CvxpyLayer` as it is (it cannot be compiled), in the same run: all contestants take turns, so that
other load meets all of them; medians count. A ratio below 1 is a gain. Errors are relative to the
largest entry: of the solution against Clarabel at 1e-12, of d sum(n^2) / d demand against the file
(8 demands) and against differences of Clarabel's solutions (all 32; the nearest of
central, left and right ones of four steps: a kink may lie inside a long one, and a short one shows
the rounding of Clarabel).
"""

import argparse
import json
import os
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cvxpylayers.jax import CvxpyLayer
from measuring import report, timed

from lpo.optim.canonical import canonicalise, evaluate
from lpo.optim.cvxpylayers_backends import diffcp_backend
from lpo.optim.interior_point import Clarabel, moreau_installed
from lpo.optim.layer import ConvexLayer
from lpo.provision.fleet.program import fleet_program
from lpo.provision.fleet.structured import structured_backend

STEPS = (1e-2, 1e-3, 1e-4, 1e-5)
PEER = f"cvxpylayers {version('cvxpylayers')} DIFFCP, Clarabel"
NAMES = (
    "capacity_tokens_per_slot",
    "price_usd_per_slot",
    "energy_usd_per_token",
    "startup_usd",
    "initial_fleet",
    "unserved_usd_per_token",
)


def by_clarabel(program, demands: np.ndarray, fixed: list[np.ndarray]) -> np.ndarray:
    """n [B, H, K] at demands [B, H]."""
    parts = [[demand, *fixed] for demand in demands]
    theta = [np.concatenate([np.ravel(row[i]) for i in program.order]) for row in parts]
    points = Clarabel(program)(evaluate(program, np.array(theta)))
    return points.x[:, program.variables[0]]


def differences(program, demands: np.ndarray, fixed: list[np.ndarray]) -> list[np.ndarray]:
    """Central, left and right differences [B, H] of sum(n^2) by the demand, of every step."""

    def squares(demands: np.ndarray) -> np.ndarray:
        return (by_clarabel(program, demands, fixed) ** 2).sum(axis=(1, 2))

    found, slots, middle = [], demands.shape[1], squares(demands)[:, None]
    for step in STEPS:
        moves = step * np.concatenate([np.eye(slots), -np.eye(slots)])
        moved = (demands[:, None] + moves).reshape(-1, slots)
        up, down = np.split(squares(moved).reshape(len(demands), -1), 2, axis=1)
        found += [(up - down) / (2 * step), (middle - down) / step, (up - middle) / step]
    return found


def through(layer: ConvexLayer, fixed: list[Any]) -> tuple[Callable, Callable]:
    """Compiled fleets and gradients of a batch of demands."""
    params = [jnp.asarray(value, jnp.float32) for value in fixed]

    def fleet(demand):
        return layer(demand, *params)[0]

    gradient = jax.grad(lambda demand: (fleet(demand) ** 2).sum())
    return jax.jit(jax.vmap(fleet)), jax.jit(jax.vmap(gradient))


def through_cvxpylayers(program, fixed: list[Any]) -> tuple[Callable, Callable]:
    """The peer: batches natively, cannot be compiled."""
    layer = CvxpyLayer(
        program.problem,
        parameters=list(program.parameters),
        variables=list(program.variables),
        solver_args={"solve_method": "Clarabel"},
    )
    params = [jnp.asarray(value, jnp.float32) for value in fixed]

    def fleets(demands):
        return layer(demands, *params)[0]

    return fleets, jax.grad(lambda demands: (fleets(demands) ** 2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("LPO_DATA"))
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    file = options.data and Path(options.data) / "fleet" / "instance_h12_k10.json"
    if not file or not file.exists():
        print("# skipped: no data")
        return
    instance = json.loads(file.read_text())
    fixed = [np.asarray(instance[name], np.float64) for name in NAMES]
    demands = np.asarray(instance["demand"], np.float64)
    program = fleet_program(
        instance["K"],
        instance["H"],
        ridge_n=instance["ridge_n"],
        ridge_other=instance["ridge_other"],
    )
    model = program.problem, program.parameters, program.variables
    canonical = canonicalise(*model)
    exact = by_clarabel(canonical, demands, fixed)
    slopes = differences(canonical, demands, fixed)
    largest = np.abs(slopes[0]).max()

    structured = structured_backend(
        ridge_n=instance["ridge_n"], ridge_other=instance["ridge_other"]
    )
    contestants = {
        "structured": through(ConvexLayer(*model, backend=structured), fixed),
        "generic": through(ConvexLayer(*model), fixed),
        "cvxpylayers_diffcp": through_cvxpylayers(program, fixed),
    }
    if moreau_installed():
        contestants["moreau"] = through(ConvexLayer(*model, backend="moreau"), fixed)
    slow = {"diffcp_dense": through(ConvexLayer(*model, backend=diffcp_backend(*model)), fixed)}

    known = np.asarray(instance["grad_sum_n_squared"])
    for name, (forward, backward) in {**contestants, **slow}.items():
        rows = demands[: 8 if name in slow else 32]
        n, gradient = (
            np.asarray(forward(jnp.asarray(rows))),
            np.asarray(backward(jnp.asarray(rows))),
        )
        off = np.min([np.abs(gradient - slope[: len(rows)]) for slope in slopes], axis=0)
        errors = {
            "solution_error": np.abs(n - exact[: len(rows)]).max() / np.abs(exact).max(),
            "gradient_error_file": np.abs(gradient[:8] - known).max() / np.abs(known).max(),
            "gradient_error_differences": off.max() / largest,
            "gradient_entries_off_by_1e-4": (off > 1e-4 * largest).mean() * 1e-6,
        }
        for error, value in errors.items():
            unit = "share" if "entries" in error else "1e-6 of the largest entry"
            line = f"convex_layer/{name}/{error}"
            report(line, unit, (1e6 * float(value), None), None, f"{len(rows)} demands, float32")

    for batch in options.batches:
        tiled = jnp.asarray(np.tile(demands, (-(-batch // len(demands)), 1))[:batch])
        calls = {
            (name, part): partial(function, tiled)
            for name, functions in contestants.items()
            for part, function in zip(("forward", "forward_backward"), functions, strict=True)
        }
        for call in calls.values():
            timed(call)
        seconds: dict[Any, list[float]] = {key: [] for key in calls}
        for _ in range(options.repeats):
            for key, call in calls.items():
                seconds[key].append(timed(call))
        load = os.getloadavg()[0]
        setting = f"batch {batch}, warm, {jax.default_backend()}, load {load:.1f}"
        for (name, part), times in seconds.items():
            values = [1e3 * median(s) / batch for s in (times, seconds["cvxpylayers_diffcp", part])]
            report(
                f"convex_layer/{name}/{part}",
                "ms/problem",
                (values[0], values[1]),
                PEER,
                f"{setting}, least {1e3 * min(times) / batch:.3f}",
            )


if __name__ == "__main__":
    main()
