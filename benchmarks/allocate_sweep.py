"""The 270 points of the published sensitivity analyses: seconds, and do the solvers agree?

    python benchmarks/allocate_sweep.py [--workers 2] [--gap 1e-2] [--every 9]

All points in the `reference` profile with the cap of the published tables (and with the shipped
one), build and solve, one thread a solve, the start of processes included. The peer is the
published form of the same model (binaries z, q, w, their products by McCormick rows, rebuilt for
every point) in HiGHS, on every `--every`-th point (1: on all), in one process, scaled to 270 points
and to `--workers` processes without loss. A Gurobi licence for 2000 variables does not take it.
Agreement: every point solved to 1e-6 by Gurobi, by HiGHS, and by HiGHS with fewer columns.
"""

import argparse
import importlib.util
from time import perf_counter

import numpy as np
import scipy.sparse as sp
from measuring import report

from lpo.allocate.instance import Instance, InstanceData, tokens
from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import solve_program
from lpo.allocate.options import make_options
from lpo.allocate.sweep import ANALYSES, sweep
from lpo.allocate.sweep.point import Task, settings, solve_point
from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.matrix_program import MatrixProgram

REFERENCE = make_options(profile="reference")
MISMATCH = 1e-5


class PublishedForm:
    """The published program, row by row: x, z [I, J, K], w [J, K, N], q, y, v, W, u and duals."""

    def __init__(self, data: InstanceData, degrees: tuple[int, ...], gamma: float):
        I, J, K, N = *np.shape(data.delay_ms_per_token), len(degrees)
        self.shapes = {
            "x": (I, J, K),
            "z": (I, J, K),
            "v": (I, J, K, N),
            "w": (J, K, N),
            "q": (J, K),
            "W": (J, K, N),
            "y": (J, K),
            "u": (I,),
            **{f"tau{each}": (I,) for each in range(3)},
            **{f"sigma{each}": (I, J, K) for each in range(3)},
            "worst": (),
        }
        self.at, n = {}, 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            self.at[name] = np.arange(n, n + size).reshape(shape)
            n += size
        self.n, self.rows, self.sides = n, [], []
        self._add_rows(data, np.asarray(degrees, float), gamma)

    def program(self) -> MatrixProgram:
        """The matrices."""
        row = np.concatenate([r for r, _, _ in self.rows])
        column = np.concatenate([c for _, c, _ in self.rows])
        value = np.concatenate([v for _, _, v in self.rows])
        left, right = (np.concatenate(side) for side in zip(*self.sides, strict=True))
        matrix = sp.csr_matrix((value, (row, column)), (len(right), self.n))
        integer, binary = np.zeros(self.n, bool), np.zeros(self.n, bool)
        for name in ("z", "w", "q", "y"):
            integer[self.at[name]] = True
            binary[self.at[name]] = name != "y"
        upper = np.where(binary, 1.0, np.inf)
        upper[self.at["x"]] = upper[self.at["v"]] = upper[self.at["W"]] = 1.0
        upper[self.at["u"]] = self.cap
        upper[self.at["y"]] = self.largest
        lower = np.zeros(self.n)
        return MatrixProgram(
            self.cost, 0.0, None, matrix, left, right, lower, upper, integer, binary
        )

    def _row(self, count: int, entries: list, left: object, right: object) -> None:
        start = sum(len(side[1]) for side in self.sides)
        for row, column, value in entries:
            row, column, value = np.broadcast_arrays(row, column, value)
            self.rows.append((row.ravel() + start, column.ravel(), value.ravel().astype(float)))
        self.sides.append(tuple(np.broadcast_to(side, count).ravel() for side in (left, right)))

    def _add_rows(self, d: InstanceData, n: np.ndarray, gamma: float) -> None:
        at, (I, J, K, N) = self.at, self.shapes["v"]
        L, lam = tokens(d), d.arrivals_per_hour
        i = np.arange(I)[:, None, None]
        jk, ijk, ijkn = J * K, I * J * K, I * J * K * N
        pair, route = np.arange(jk).reshape(J, K), np.arange(ijk).reshape(I, J, K)
        each, place = np.arange(ijkn).reshape(I, J, K, N), np.arange(jk * N).reshape(J, K, N)
        inf = np.inf
        rate = float(d.rental_hours * d.storage_usd_per_gb_hour)
        rent = np.broadcast_to(d.rental_hours * d.price_usd_per_hour, (J, K))
        weights = np.broadcast_to(d.weights_gb[:, None], (I, J, K))
        theta = np.broadcast_to((d.data_per_token * L * lam)[:, None, None], (I, J, K))
        type_ = np.broadcast_to(i, (I, J, K))
        self.cap = d.unmet_cap
        self.largest = np.where(d.weights_gb[:, None] > 8 * d.memory_gb, 0.0, 8.0)
        self.cost = np.zeros(self.n)
        self.cost[at["y"]] = rent
        self.cost[at["z"]], self.cost[at["x"]] = rate * weights, rate * theta
        self.cost[at["u"]], self.cost[at["worst"]] = d.unmet_usd * lam, 1.0

        balance = [(type_, at["x"], 1.0), (np.arange(I), at["u"], 1.0)]
        self._row(I, balance, 1.0, 1.0)
        self._row(I, [(type_, at["z"], 1.0)], 1.0, 1.0)
        self._row(jk, [(pair[..., None], at["w"], 1.0), (pair, at["q"], -1.0)], 0.0, 0.0)
        self._row(jk, [(pair[..., None], at["w"], n), (pair, at["y"], -1.0)], 0.0, 0.0)
        self._row(ijk, [(route, at["x"], 1.0), (route, at["z"], -1.0)], -inf, 0.0)
        self._row(ijk, [(route, at["z"], 1.0), (route, at["q"], -1.0)], -inf, 0.0)
        # v = w x and W = w q, each by its McCormick rows
        of_v = [(each, at["v"], 1.0)]
        self._row(ijkn, [*of_v, (each, at["w"], -1.0)], -inf, 0.0)
        self._row(ijkn, [*of_v, (each, at["x"][..., None], -1.0)], -inf, 0.0)
        both = [(each, at["x"][..., None], -1.0), (each, at["w"], -1.0)]
        self._row(ijkn, [*of_v, *both], -1.0, inf)
        of_w = [(place, at["W"], 1.0)]
        self._row(jk * N, [*of_w, (place, at["w"], -1.0)], -inf, 0.0)
        self._row(jk * N, [*of_w, (place, at["q"][..., None], -1.0)], -inf, 0.0)
        both = [(place, at["q"][..., None], -1.0), (place, at["w"], -1.0)]
        self._row(jk * N, [*of_w, *both], -1.0, inf)

        cache = d.kv_gb_per_token[None, :, None] * (L * lam)[:, None, None] * d.residency_h
        memory = [
            (pair[..., None], at["W"], d.weights_gb[:, None, None] / n),
            (pair[..., None], at["v"], cache[..., None] / n),
            (pair, at["q"], -np.broadcast_to(d.memory_gb, (J, K))),
        ]
        self._row(jk, memory, -inf, 0.0)
        work = (d.tflop_per_kilotoken * L)[:, None, None]
        compute = [
            (pair, at["x"], work),
            (pair, at["y"], -np.broadcast_to(d.compute_tflops, (J, K))),
        ]
        self._row(jk, compute, -inf, 0.0)
        self._row(1, [(0, at["z"], weights)], -inf, float(d.storage_gb))
        spent = [(0, at["y"], I * rent), (0, at["z"], rate * weights), (0, at["x"], rate * theta)]
        self._row(1, spent, -inf, float(d.budget_usd))

        nominal = d.delay_ms_per_token * L[:, None, None]
        deviation = d.delay_deviation * L[:, None, None]
        price = (d.delay_usd_per_ms * lam)[:, None, None]
        last = [(np.arange(I)[:, None], at["w"][-1, -1], -d.delay_limit_ms[:, None] * n)]
        limits = (
            (nominal, deviation, last, 0.0),
            (d.error_rate, d.error_deviation, [], d.error_limit),
            (None, price * deviation, [(np.zeros(I, int), at["worst"], -1.0 / I)], 0.0),
        )
        for kind, (mean, risk, other, right) in enumerate(limits):
            tau, sigma = at[f"tau{kind}"], at[f"sigma{kind}"]
            if mean is None:
                of_all = [(0, tau, gamma), (0, sigma, 1.0), (0, at["worst"], -1.0)]
                self._row(1, of_all, -inf, 0.0)
            else:
                worst = [(np.arange(I), tau, gamma), (type_, sigma, 1.0)]
                self._row(I, [(type_, at["x"], mean), *worst, *other], -inf, right)
            dual = [(route, tau[:, None, None], 1.0), (route, sigma, 1.0), (route, at["x"], -risk)]
            self._row(ijk, dual, 0.0, inf)


def instance_with(cap: str) -> Instance:
    instance = generate("robust", 42, legacy_stream=True)
    if cap == "shipped":
        return instance
    unmet_cap = np.minimum(1.0, 0.01 * instance.data.arrivals_per_hour)
    return instance._replace(data=instance.data._replace(unmet_cap=unmet_cap))


def points() -> list:
    return [(each, a, b) for each in ANALYSES.values() for a, b in each.points]


def bench_seconds(solver: str, cap: str, workers: int, gap: float, every: int) -> None:
    instance, clock, costs = instance_with(cap), perf_counter(), {}
    for analysis in ANALYSES.values():
        for point in sweep(
            instance, analysis, REFERENCE, solver=solver, gap=gap, workers=workers, explain=False
        ):
            costs[analysis.name, point.a, point.b] = point.solved.objective
    seconds, peer = perf_counter() - clock, None
    plans = sum(cost is not None for cost in costs.values())
    setting = (
        f"{solver}, gap {gap:g}, cap {cap}, at most {workers} processes, one thread a solve; "
        f"{plans} of {len(costs)} points have a plan"
    )
    if solver == "highs":
        whole, more = published_form(instance, gap, every, costs)
        peer = whole / workers
        setting += f"; {more}"
    name = f"allocate_sweep/{solver}/{cap}/seconds"
    report(name, "s", (seconds, peer), "published form in HiGHS" if peer else None, setting)


def published_form(instance: Instance, gap: float, every: int, costs: dict) -> tuple[float, str]:
    """Seconds of building and solving all points, from every `every`-th, and what was seen."""
    chosen, differ, clock = points()[::every], 0, perf_counter()
    for analysis, a, b in chosen:
        data = scaled(instance, **{analysis.a.scale: a, analysis.b.scale: b}).data
        form = PublishedForm(data, instance.tensor_parallel, instance.gamma_delay).program()
        solved = solve_matrix(form, solver="highs", gap=gap, threads=1)
        differ += _differ(solved.objective, costs[analysis.name, a, b], 2 * gap)
    seconds = perf_counter() - clock
    words = f"peer: {len(chosen)} points took {seconds:.1f} s in one process, {differ} differ"
    return seconds * len(points()) / len(chosen), words


def bench_agreement(cap: str) -> None:
    """Gurobi and HiGHS on the whole program, and HiGHS on the narrowed one."""
    instance, worst, mismatches, plans = instance_with(cap), 0.0, 0, 0
    for analysis in ANALYSES.values():
        given = settings(
            instance, analysis, REFERENCE, None, solver="highs", time_limit_s=None, gap=1e-6
        )
        for a, b in analysis.points:
            data = scaled(instance, **{analysis.a.scale: a, analysis.b.scale: b}).data
            solved = [
                solve_program(
                    given.program, data, solver=solver, gap=1e-6, threads=1, explain=False
                )
                for solver in ("gurobi", "highs")
            ]
            solved.append(solve_point(given, Task(a, b, None, False)).solved)
            one, *others = (each.objective for each in solved)
            mismatches += len({str(each.status) for each in solved}) > 1 or any(
                _differ(one, other, MISMATCH) for other in others
            )
            if one is not None and None not in others:
                plans += 1
                worst = max(worst, *(abs(one / other - 1.0) for other in others))
    setting = (
        f"of 270, reference, cap {cap}, gap 1e-6; Gurobi, HiGHS, HiGHS with fewer columns; {plans} "
        f"points have a plan, largest relative difference of objectives {worst:.1e}"
    )
    report(f"allocate_sweep/mismatches/{cap}", "points", (mismatches, None), None, setting)


def _differ(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return (one is None) != (other is None)
    return abs(one - other) > tolerance * abs(other)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gap", type=float, default=1e-2)
    parser.add_argument("--every", type=int, default=9)
    arguments = parser.parse_args()
    gurobi = importlib.util.find_spec("gurobipy") is not None
    for cap in ("published", "shipped"):
        for solver in ("gurobi", "highs") if gurobi else ("highs",):
            bench_seconds(solver, cap, arguments.workers, arguments.gap, arguments.every)
        if gurobi:
            bench_agreement(cap)


if __name__ == "__main__":
    main()
