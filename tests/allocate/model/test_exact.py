# pyright: reportArgumentType=false, reportOptionalOperand=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportCallIssue=false
# cvxpy types a comparison as maybe a bool.
"""Exact plans against published optima, a second formulation, and the solver-free audit."""

import itertools

import cvxpy as cp
import numpy as np
import pytest

from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.exact import solve_allocation, solve_program
from lpo.allocate.model.program import build
from lpo.allocate.options import Options, make_options
from lpo.allocate.uncertainty import Box, Budget, Ellipsoid, Uncertainty, budget, worst_case
from lpo.allocate.validate.audit import audit
from lpo.allocate.validate.cost import cost, objective
from tests.solvers import BACKENDS

QUICK = {"solver": BACKENDS[0], "gap": 1e-6, "threads": 1}


def assert_consistent(instance, solved, options, uncertainty):
    """Plan, audit and cost, which are computed without the program, agree with the solver."""
    assert solved.status == "optimal"
    report = audit(instance, solved.allocation, options, uncertainty)
    assert report.ok, report.violated
    parts = cost(instance, solved.allocation, options, uncertainty)
    assert objective(parts, options) == pytest.approx(solved.objective, rel=1e-6)


@pytest.mark.parametrize("name", ["small", "default"])
def test_every_published_optimum_is_found_and_audited(rodiu_cases, name):
    for case in rodiu_cases(name):
        sets = case.uncertainty
        solved = solve_allocation(case.instance, case.options, sets, **QUICK)
        assert solved.objective == pytest.approx(case.expected["objective"], rel=1e-6)
        assert solved.bound <= solved.objective + 1e-9
        assert_consistent(case.instance, solved, case.options, sets)


def test_highs_finds_the_same_optima(rodiu_cases):
    chosen = [*rodiu_cases("small"), rodiu_cases("default")[0]]
    for case in chosen:
        solved = solve_allocation(
            case.instance, case.options, case.uncertainty, solver="highs", gap=1e-6, threads=1
        )
        assert solved.solver == "highs"
        assert solved.objective == pytest.approx(case.expected["objective"], rel=1e-6)


@pytest.mark.parametrize(
    ("preset", "profile", "optima"),
    [
        ("robust", "reference", {42: 553.4433, 0: 466.4594, 1: 487.0854, 2: 442.3956}),
        ("robust", "corrected", {42: 356.8933, 0: 341.0659, 1: 331.8370, 2: 384.5012}),
        (
            "det",
            "reference_deterministic",
            {42: 4141.0073, 0: 5668.5036, 1: 4175.7643, 2: 4342.5888},
        ),
    ],
)
def test_published_seeds(preset, profile, optima):
    options = make_options(profile=profile)
    for seed, expected in optima.items():
        instance = generate(preset, seed, legacy_stream=True)
        solved = solve_allocation(instance, options, **QUICK)
        assert solved.objective == pytest.approx(expected, abs=6e-5)


def least_cost(instance, delay_worst, error_worst):
    """The corrected model once more, from its statement: every set of deployments by brute force,
    the shares by a conic solver."""
    I, J, K, N = instance.shape
    d, n = instance.data, np.asarray(instance.tensor_parallel)
    L = d.input_tokens + d.output_tokens
    w, u = cp.Parameter((J * K, N), nonneg=True), cp.Variable(I, nonneg=True)
    shares = [cp.Variable((J * K, N), nonneg=True) for _ in range(I)]
    weights, memory = np.repeat(d.weights_gb, K), np.tile(d.memory_gb, J)
    price, compute = np.tile(d.price_usd_per_hour, J), np.tile(d.compute_tflops, J)
    rent = d.rental_hours * cp.sum(cp.multiply(np.outer(price, n), w))
    size = d.data_per_token * L * d.arrivals_per_hour
    stored = cp.sum(cp.multiply(np.outer(weights, np.ones(N)), w))
    kept = stored + sum(size[i] * cp.sum(shares[i]) for i in range(I))
    storage = d.rental_hours * d.storage_usd_per_gb_hour * kept
    rows = [u <= d.unmet_cap, stored <= d.storage_gb, rent + storage <= d.budget_usd]
    cache, load, waiting = 0, 0, 0
    for i, x in enumerate(shares):
        kv = np.repeat(d.kv_gb_per_token, K) * L[i] * d.arrivals_per_hour[i] * 0.1
        cache = cache + cp.multiply(np.outer(kv, 1.0 / n), x)
        load = load + d.tflop_per_kilotoken[i] * L[i] * x
        by_pair = (x @ (1.0 / n), cp.sum(x, axis=1))
        bars = (d.delay_ms_per_token[i].ravel() * L[i], d.error_rate[i].ravel())
        hats = (d.delay_deviation[i].ravel() * L[i], d.error_deviation[i].ravel())
        worst = [
            bar @ y + case(cp.multiply(hat, y))
            for bar, hat, y, case in zip(
                bars, hats, by_pair, (delay_worst, error_worst), strict=True
            )
        ]
        rows += [cp.sum(x) + u[i] == 1]
        rows += [worst[0] <= d.delay_limit_ms[i], worst[1] <= d.error_limit[i]]
        waiting = waiting + d.delay_usd_per_ms[i] * d.arrivals_per_hour[i] * worst[0]
    spare = memory[:, None] - np.outer(weights, 1.0 / n)
    rows += [cache <= cp.multiply(spare, w), load <= cp.multiply(np.outer(compute, n), w)]
    lost = (d.unmet_usd * d.arrivals_per_hour) @ u
    problem = cp.Problem(cp.Minimize(rent + storage + waiting + lost), rows)
    best = np.inf
    for degrees in itertools.product(range(N + 1), repeat=J * K):  # 0: the pair is not used
        w.value = (np.arange(1, N + 1) == np.array(degrees)[:, None]).astype(float)
        if np.all(spare * w.value >= 0):
            best = min(best, problem.solve(solver=cp.CLARABEL))
    return best


@pytest.mark.parametrize("radius", [0.4, 1.3])
def test_ellipsoids_and_boxes_are_those_of_brute_force_with_a_conic_solver(tiny, radius):
    instance = scaled(tiny[0], deviation=2.0, error_limit=0.8)
    sets = Uncertainty(Ellipsoid(radius), Ellipsoid(radius))
    norm = lambda a: radius * cp.norm2(a)  # noqa: E731
    for solver in BACKENDS:
        solved = solve_allocation(instance, Options(), sets, solver=solver, gap=1e-7)
        assert solved.objective == pytest.approx(least_cost(instance, norm, norm), rel=1e-6)
        assert_consistent(instance, solved, Options(), sets)
    sets = Uncertainty(Box(radius), Budget(1.0))
    solved = solve_allocation(instance, Options(), sets, **QUICK)
    box = lambda a: radius * cp.sum(a)  # noqa: E731
    assert solved.objective == pytest.approx(least_cost(instance, box, cp.max), rel=1e-6)


@pytest.mark.parametrize(
    "changed",
    [
        {"single_placement": True},
        {"decision_dependent": True},
        {"replicas": 3},
        {"replicas": 2, "single_placement": True},
        {"link_cuts": True},
        {"utilisation": 0.6},
        {"storage_accounting": "route"},
        {"horizon_consistent": True},
        {"route_limit": True},
        {"legacy_units": False},
    ],
    ids=str,
)
def test_every_switch_gives_a_plan_that_passes_the_audit(tiny, changed):
    instance = tiny[0]
    options, sets = make_options(**changed), budget(1.0, 0.5)
    for solver in BACKENDS:
        solved = solve_allocation(instance, options, sets, solver=solver, gap=1e-7)
        assert_consistent(instance, solved, options, sets)


def test_a_larger_set_costs_more_and_an_option_to_do_more_costs_less(rodiu_cases):
    instance = rodiu_cases("small")[0].instance

    def value(options=Options(), sets=None):  # noqa: B008
        return solve_allocation(instance, options, sets, **QUICK).objective

    grid = [value(sets=budget(g, g)) for g in (0.0, 0.25, 1.0, np.inf)]
    assert np.all(np.diff(grid) >= -1e-6)
    box = Uncertainty(Box(), Box())
    assert value(sets=box) == pytest.approx(grid[-1], rel=1e-6)
    assert value(sets=budget(50.0, 50.0)) == pytest.approx(grid[-1], rel=1e-6)
    assert value(make_options(replicas=2)) <= value() + 1e-6
    assert value(make_options(link_cuts=True)) == pytest.approx(value(), rel=1e-6)
    assert value(make_options(single_placement=True)) >= value()


def test_replicas_serve_demand_that_one_instance_a_pair_cannot(tiny):
    instance = scaled(tiny[0], demand=20.0, budget=500.0, storage=10.0)
    one = solve_allocation(instance, make_options(replicas=1), **QUICK)
    several = solve_allocation(instance, make_options(replicas=8), **QUICK)
    assert one.status == "infeasible"
    assert several.status == "optimal"
    assert several.allocation.replicas.max() > 1
    assert (np.count_nonzero(several.allocation.replicas, axis=2) <= 1).all()


def test_gpus_of_a_tier_are_not_exceeded(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    free = solve_allocation(instance, **QUICK).allocation
    used = (free.replicas * np.asarray(instance.tensor_parallel)).sum(axis=(0, 2))
    tier = int(np.argmax(used))
    limit = np.full(len(used), np.inf)
    limit[tier] = used[tier] - 1
    fewer = instance._replace(data=instance.data._replace(tier_limit=limit))
    solved = solve_allocation(fewer, **QUICK)
    assert_consistent(fewer, solved, Options(), budget(50.0, 50.0))
    gpus = (solved.allocation.replicas * np.asarray(instance.tensor_parallel)).sum(axis=(0, 2))
    assert gpus[tier] <= limit[tier]


def test_a_program_built_once_serves_other_numbers(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    program = build(scaled(instance, memory=2.0))
    for factors in ({"memory": 0.8}, {"price": 1.4, "error_limit": 1.2}, {"demand": 0.5}):
        changed = scaled(instance, **factors)
        again = solve_program(program, changed.data, **QUICK)
        fresh = solve_allocation(changed, **QUICK)
        assert again.objective == pytest.approx(fresh.objective, rel=1e-6)


def test_a_plan_is_a_point_of_the_program(rodiu_cases):
    for case in rodiu_cases("small"):
        program = build(case.instance, case.options, case.uncertainty)
        matrix, x = program.matrix(), program.point(case.allocation)
        left = matrix.matrix @ x
        assert (left <= matrix.row_upper + 1e-6).all()
        assert (left >= matrix.row_lower - 1e-6).all()
        assert (x <= matrix.upper + 1e-6).all()
        assert matrix.cost @ x == pytest.approx(case.expected["objective"], rel=1e-5)
        back = program.allocation(x)
        np.testing.assert_allclose(back.share, case.allocation.share, atol=1e-7)


def test_the_point_of_a_plan_has_the_least_dual_worst_case():
    rng = np.random.default_rng(0)
    from lpo.allocate.model.program import _level

    for _ in range(200):
        a, kept, gamma = rng.exponential(size=6), rng.uniform(0, 1, 6), rng.uniform(0, 7)
        level = _level(a, kept, gamma)
        dual = gamma * level + kept @ np.maximum(a - level, 0.0)
        assert dual == pytest.approx(worst_case(a, Budget(gamma), 1.0 - kept), abs=1e-12)


def test_an_infeasible_instance_names_limits_that_conflict(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    poor = solve_allocation(scaled(instance, budget=1e-3), **QUICK)
    assert poor.status == "infeasible" and poor.allocation is None
    assert "budget" in poor.conflict
    # .002 is below the least error of every model that fits for Math_Solving
    limits = np.array([1.0, 1.0, 0.002])
    strict = instance._replace(data=instance.data._replace(error_limit=limits))
    solved = solve_allocation(strict, **QUICK)
    assert solved.status == "infeasible"
    assert set(solved.conflict) == {"error of Math_Solving", "unmet cap of Math_Solving"}


@pytest.mark.parametrize(
    "given",
    [{}, {"single_placement": True}, {"profile": "reference"}, {"link_cuts": True}],
    ids=str,
)
def test_the_conflict_names_the_hardware_that_is_too_small(tiny, given):
    """Ample money and storage, error and delay limits of 1 and without bound: only size is left."""
    instance = scaled(tiny[0], demand=100.0, budget=1e4, storage=1e4, delay_limit=1e4)
    instance = instance._replace(data=instance.data._replace(error_limit=np.ones(2)))
    solved = solve_allocation(instance, make_options(**given), **QUICK)
    assert solved.status == "infeasible"
    kinds = {name.partition(" of ")[0] for name in solved.conflict}
    assert kinds & {"memory", "compute"} and "unmet cap" in kinds
    assert not kinds & {"budget", "storage", "delay", "error"}


def test_the_conflict_names_a_route_that_is_too_slow_and_memory_that_is_none(tiny):
    slow = scaled(tiny[0], delay_limit=0.05)
    solved = solve_allocation(slow, make_options(route_limit=True), **QUICK)
    assert any(name.startswith("delay of") for name in solved.conflict)
    for sets in (None, Uncertainty(Ellipsoid(1.0), Ellipsoid(1.0))):
        solved = solve_allocation(scaled(tiny[0], memory=1e-3), uncertainty=sets, **QUICK)
        assert solved.status == "infeasible"
        assert any("No model fits" in note for note in solved.notes)


def test_licence_refusal_falls_back_to_highs_and_says_so(rodiu_cases):
    if "gurobi" not in BACKENDS:
        pytest.skip("gurobipy is not installed")
    instance = scaled(rodiu_cases("default")[0].instance, memory=2.0)
    refused = solve_allocation(instance, solver="gurobi", time_limit_s=5)
    assert refused.variables == 2005
    if refused.status != "licence_refused":
        pytest.skip("a full Gurobi licence is installed")
    solved = solve_allocation(instance, solver="auto", time_limit_s=0.5, threads=1)
    assert solved.solver == "highs"
    assert any("Gurobi refused" in note for note in solved.notes)


def test_a_time_limit_returns_what_is_known():
    instance = generate("robust", 0, legacy_stream=True)
    first = solve_allocation(instance, gap=0.5, solver="highs", threads=1)
    solved = solve_allocation(
        instance, gap=0.0, solver="highs", time_limit_s=0.2, start=first.allocation, threads=1
    )
    assert solved.status in ("feasible", "optimal")
    assert solved.objective <= first.objective + 1e-6
    assert solved.bound is None or solved.bound <= 341.0659 + 1e-3


def test_a_start_may_be_made_of_the_instance():
    instance = scaled(generate("robust", 3, size=(4, 3, 4)), demand=1.1)
    program, asked = build(instance), []
    cold = solve_program(program, solver="highs", gap=0.0, threads=1)
    dearer = scaled(instance, price=1.3).data

    def stub(given):
        asked.append(given)
        return cold.allocation

    warm = solve_program(program, dearer, solver="highs", gap=0.0, threads=1, start=stub)
    again = solve_program(program, dearer, solver="highs", gap=0.0, threads=1)
    assert asked[0].name == instance.name and asked[0].data is dearer
    assert warm.objective == pytest.approx(again.objective, rel=1e-6)
    nothing = solve_allocation(instance, solver="highs", gap=0.0, threads=1, start=lambda _: None)
    assert nothing.objective == pytest.approx(cold.objective, rel=1e-6) and not nothing.notes
    replicas = np.ones_like(cold.allocation.replicas)  # of every pair at every degree at once
    bad = cold.allocation._replace(replicas=replicas)
    found = solve_allocation(instance, solver="highs", gap=0.0, threads=1, start=lambda _: bad)
    assert found.objective == pytest.approx(cold.objective, rel=1e-6)
    assert any("start is not used" in note for note in found.notes)
