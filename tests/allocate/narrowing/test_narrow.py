"""Fewer columns under single placement, against the same program with all of them."""

import itertools

import numpy as np
import pytest

from lpo.allocate.explain.limits import with_limits
from lpo.allocate.instances.generate import generate
from lpo.allocate.instances.scaling import scaled
from lpo.allocate.model.program import build
from lpo.allocate.narrowing import can_narrow, narrow, plan_exists
from lpo.allocate.narrowing.subsets import make_subsets, outside, product, trace, tree_of
from lpo.allocate.options import make_options
from lpo.allocate.sweep.blame import conflicting_limits
from lpo.allocate.uncertainty import budget
from lpo.optim.matrix_milp import solve_matrix
from lpo.optim.matrix_program import feasible_point

QUICK = {"gap": 1e-9, "threads": 1, "solver": "highs"}


def published(cap: float):
    instance = generate("robust", 42, legacy_stream=True)
    return instance._replace(data=instance.data._replace(unmet_cap=np.full(6, cap)))


def shared_out(takers):
    """Least cost of every set, by trying all ways to share it out: takers [P, 2^I]."""
    size = takers.shape[1].bit_length() - 1
    best = np.full(2**size, np.inf)
    for owners in itertools.product(range(len(takers) + 1), repeat=size):
        sets = [sum(1 << i for i in range(size) if owners[i] == p) for p in range(len(takers))]
        whole = sum(1 << i for i in range(size) if owners[i] < len(takers))
        best[whole] = min(best[whole], sum(takers[p, s] for p, s in enumerate(sets)))
    return best


def test_products_share_sets_out_as_brute_force_does():
    rng = np.random.default_rng(0)
    takers = rng.uniform(1, 9, (5, 8))
    takers[:, 0] = [0, 0, 0, 2, 0]  # one costs something though it takes nothing
    takers[1, 3:] = np.inf
    subsets = make_subsets(3)
    tree = tree_of(takers[None], subsets)
    assert tree[0][0, 0] == pytest.approx(shared_out(takers))
    others = outside(tree, subsets)
    for p in range(5):
        assert others[0, p] == pytest.approx(shared_out(np.delete(takers, p, axis=0)))
    chosen = trace(tree, subsets, 0)
    assert sum(s for _, s in chosen) == 7  # each member once
    assert sum(takers[p, s] for p, s in chosen if p < 5) == pytest.approx(tree[0][0, 0, -1])
    assert product(takers[:1], takers[1:2], subsets)[0] == pytest.approx(shared_out(takers[:2]))


@pytest.mark.parametrize("profile", ["corrected", "reference"])
@pytest.mark.parametrize(
    ("cap", "factors"),
    [(0.01, {}), (0.5, {"error_limit": 0.6}), (0.2, {"budget": 0.75, "error_limit": 1.3})],
)
def test_nothing_cheaper_is_lost(profile, cap, factors):
    if profile == "corrected" and "budget" in factors:
        factors = factors | {"budget": 0.11}  # where the rent counts once
    instance = scaled(published(cap), **factors)
    program = build(instance, make_options(profile=profile, single_placement=True), budget(2, 2))
    matrix = program.matrix()
    plain = solve_matrix(matrix, **QUICK)
    narrowed = narrow(program, matrix, instance.data)
    assert plain.objective is not None
    assert narrowed.bound <= plain.objective * (1 + 1e-9)
    assert narrowed.point is not None
    assert feasible_point(matrix, narrowed.point)
    assert matrix.cost @ narrowed.point >= plain.objective * (1 - 1e-9)
    again = solve_matrix(narrowed.matrix, **QUICK)
    assert again.objective == pytest.approx(plain.objective, rel=1e-7)
    ruled_out = (narrowed.matrix.upper == 0.0) & (matrix.upper > 0.0)
    assert ruled_out.sum() > 0.3 * (matrix.upper > 0.0).sum()


@pytest.mark.parametrize("seed", range(6))
def test_random_small_instances(seed):
    rng = np.random.default_rng(seed)
    instance = scaled(
        generate("robust", seed, size=(3, 3, 4)),
        budget=float(rng.uniform(0.05, 0.6)),
        error_limit=float(rng.uniform(0.6, 1.2)),
    )
    caps = rng.uniform(0, 0.6, 3)
    instance = instance._replace(data=instance.data._replace(unmet_cap=caps))
    program = build(instance, make_options(single_placement=True), budget(1, 1))
    matrix = program.matrix()
    plain = solve_matrix(matrix, **QUICK)
    narrowed = narrow(program, matrix, instance.data)
    if plain.objective is None:
        assert narrowed.point is None
        assert plan_exists(program, matrix, instance.data) is not True
        return
    assert narrowed.bound <= plain.objective * (1 + 1e-9)
    assert plan_exists(program, matrix, instance.data) is not False
    again = solve_matrix(narrowed.matrix, start=narrowed.point, **QUICK)
    assert again.objective == pytest.approx(plain.objective, rel=1e-7)


def test_a_known_plan_counts_and_one_that_breaks_a_row_does_not():
    instance = published(0.5)
    program = build(instance, make_options(profile="reference"), budget(1, 1))
    matrix = program.matrix()
    optimum = solve_matrix(matrix, **QUICK)
    assert optimum.x is not None
    narrowed = narrow(program, matrix, instance.data, optimum.x)
    assert narrowed.point is not None
    assert matrix.cost @ narrowed.point == pytest.approx(optimum.objective, rel=1e-9)
    broken = np.zeros_like(optimum.x)
    kept = narrow(program, matrix, instance.data, broken).point
    assert kept is not None
    assert feasible_point(matrix, kept)


def test_other_programs_are_left_as_they_are():
    program = build(generate("robust", 1, size=(3, 3, 4)), make_options())
    assert not can_narrow(program)
    matrix = program.matrix()
    assert narrow(program, matrix, program.instance.data).matrix is matrix


def test_limits_to_blame_conflict_and_none_of_them_is_idle():
    instance = scaled(published(0.01), error_limit=0.9, delay_limit=0.01)
    program = build(instance, make_options(profile="reference"), budget(1, 1))
    assert plan_exists(program, program.matrix(), instance.data) is False
    names = conflicting_limits(program, instance.data)
    assert names
    free = {"unmet cap": 1.0, "delay": 1e7, "error": 1e4, "budget": 1e9, "storage": 1e9}

    def solved(kept):
        every = [name for name in program.limits() if name.partition(" of ")[0] in free]
        dropped = {n: free[n.partition(" of ")[0]] for n in every if n not in kept}
        changed = with_limits(instance, dropped).data
        return solve_matrix(program.matrix(changed), solver="highs", gap=0.9, threads=1).status

    assert solved(names) == "infeasible"
    for name in names:
        assert solved(set(names) - {name}) == "optimal"
