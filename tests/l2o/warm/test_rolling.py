"""Whole plans on a pool, and a short horizon: starts help or do nothing, and never harm."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
import pytest

from lpo.allocate import Allocation, Instance, Options, audit, budget, generate
from lpo.allocate.model.program import build
from lpo.allocate.validate.cost import cost, objective
from lpo.errors import InputError
from lpo.l2o.families.allocation import Multipliers, allocation, at, used
from lpo.l2o.family import sample_problems
from lpo.l2o.linear import family_of, labels, solved
from lpo.l2o.warm.allocation import predicted
from lpo.l2o.warm.drift import Drift, drifting
from lpo.l2o.warm.guard import Range
from lpo.l2o.warm.pool import levels_for, levels_of, make_pool, whole_plan
from lpo.l2o.warm.predictors import fit
from lpo.l2o.warm.rolling import Solve, first_within, roll
from lpo.l2o.warm.starters import Begin, Starter, nowhere, previous_plan
from lpo.optim import highs
from lpo.optim.matrix_milp import solve_matrix

INSTANCE = generate("robust", 1, size=(3, 3, 4))
OPTIONS, SETS = Options(horizon_consistent=True), budget(np.inf, np.inf)
FAMILY = allocation(INSTANCE, OPTIONS, SETS)
TRAINING = sample_problems(family_of(FAMILY.linear), jax.random.PRNGKey(0), 30)
COLUMNS = used(FAMILY.program, solved(FAMILY.linear, TRAINING).x)
PAIRS = np.zeros(INSTANCE.shape[1:3], bool)
PAIRS[COLUMNS.model, COLUMNS.tier] = True
POOL = make_pool(INSTANCE, OPTIONS, SETS, PAIRS)
HOURS = drifting(jax.random.PRNGKey(1), 3, 4, 2)
STARTERS = ("none", "previous", "nearest", "outside", "bad")


def test_a_pool_has_every_degree_that_fits_in_order():
    for p in range(len(POOL.model)):
        slots = POOL.slot[p, : POOL.most[p]]
        degrees = POOL.columns.degree[slots]
        assert (np.diff(degrees) > 0).all() and (POOL.slot[p, POOL.most[p] :] == -1).all()
        weights = INSTANCE.data.weights_gb[POOL.model[p]]
        assert (weights / degrees <= INSTANCE.data.memory_gb[POOL.tier[p]]).all()
        assert set(POOL.columns.model[slots]) == {POOL.model[p]}
    fraction = np.linspace(0.0, 1.0, len(POOL.model))
    level = levels_for(POOL, fraction)
    assert level[0] == 0 and level[-1] == POOL.most[-1]


def test_a_whole_plan_keeps_every_limit_and_costs_what_it_says():
    now = at(INSTANCE, HOURS[0])
    none = np.zeros(len(POOL.model), int)
    found = whole_plan(POOL, now, none, np.ones(len(none)))
    assert found.allocation is not None
    assert audit(now, found.allocation, OPTIONS, SETS).ok
    usd = objective(cost(now, found.allocation, OPTIONS, SETS), OPTIONS)
    assert found.usd == pytest.approx(usd, rel=1e-6)
    np.testing.assert_array_equal(levels_of(POOL, found.allocation), found.levels)
    again = whole_plan(POOL, now, found.levels, np.ones(len(none)))
    assert again.usd == pytest.approx(found.usd)


def test_the_drift_is_seeded_and_has_the_moments_it_says():
    one, two = (drifting(jax.random.PRNGKey(3), 50, 40, 400, Drift(cycle=0.0)) for _ in range(2))
    np.testing.assert_array_equal(one[7].demand, two[7].demand)
    demand = np.log([np.asarray(each.demand) for each in one])
    assert demand.std() == pytest.approx(0.1, rel=0.1)
    assert (demand[1:] * demand[:-1]).mean() / demand.var() == pytest.approx(0.8, abs=0.05)
    daily = drifting(jax.random.PRNGKey(3), 5, 4, 49, Drift(demand_sd=0.0, price_sd=0.0))
    np.testing.assert_allclose(daily[3].demand, daily[27].demand, rtol=1e-5)
    np.testing.assert_allclose(daily[3].price, 1.0)


def alone(begin: Callable[[Multipliers, Instance], Begin]) -> Starter:
    """What does not ask for the plan of the hour before."""
    return lambda problem, instance, previous: begin(problem, instance)


@pytest.fixture(scope="module")
def rolled():
    z = labels(FAMILY.linear, TRAINING)
    near = fit("nearest", FAMILY.linear, TRAINING, z, jax.random.PRNGKey(0))
    dearest = Allocation(
        np.ones(INSTANCE.shape[1:], np.int64),
        np.full(INSTANCE.shape, 1.0 / np.prod(INSTANCE.shape[1:])),
        np.zeros(3),
    )
    key = jax.random.PRNGKey(0)
    nothing_inside = near._replace(known=Range(near.known.mean, near.known.whiten, 0.0))
    starters = {
        "none": nowhere,
        "previous": previous_plan(POOL),
        "nearest": alone(predicted(FAMILY, near, POOL, key)),
        "outside": alone(predicted(FAMILY, nothing_inside, POOL, key)),
        "bad": lambda problem, instance, previous: Begin(dearest),
    }
    return roll(INSTANCE, HOURS, starters, OPTIONS, SETS, gap=1e-4)


def test_no_start_changes_the_optimum(rolled):
    for period in range(len(HOURS)):
        own = {each.starter: each.objective for each in rolled if each.period == period}
        assert len(own) == 5
        for name, usd in own.items():
            assert usd == pytest.approx(own["none"], rel=2e-4), name


def test_starts_are_taken_or_refused_as_they_deserve(rolled):
    of = {name: [each for each in rolled if each.starter == name] for name in STARTERS}
    started = {name: [each.started for each in own] for name, own in of.items()}
    assert not any(started["none"]) and np.isnan(of["none"][0].start_usd)
    assert all(each.fell_back for each in of["outside"]) and not any(started["outside"])
    assert not any(each.fell_back for each in of["nearest"]) and all(started["nearest"])
    assert started["previous"] == [False, True]  # there is none before the first period
    assert all("not used" in each.note for each in rolled if each.starter == "bad")
    for each in rolled:
        if each.starter == "nearest":  # what the search begins with is what was handed over
            assert each.incumbents[0][1] == pytest.approx(each.start_usd, rel=1e-6)
            assert each.objective <= each.start_usd * (1 + 1e-9)
            assert each.incumbents[0][0] >= each.start_s


def test_a_bad_start_costs_nothing_at_equal_nodes(monkeypatch):
    """Nodes instead of seconds, so that a busy machine changes nothing: after the root node, the
    plan from a bad start is as good as the one from none, within the gap of a search."""
    loaded, allowed = highs.loaded, 1

    def limited(program):
        solver = loaded(program)
        solver.setOptionValue("mip_max_nodes", allowed)
        return solver

    monkeypatch.setattr(highs, "loaded", limited)
    larger = generate("robust", 1, size=(7, 5, 7))
    full = build(larger, OPTIONS, SETS)
    search = partial(solve_matrix, solver="highs", threads=1, gap=1e-2)
    unproven = 0
    for hour in drifting(jax.random.PRNGKey(1), 7, 7, 3):
        matrix = full.matrix(at(larger, hour).data)
        bad = search(matrix._replace(cost=0.0 * matrix.cost)).x  # any plan
        assert bad is not None
        cold, warm = search(matrix), search(matrix, start=bad)
        assert cold.objective is not None and warm.objective is not None
        assert max(cold.nodes, warm.nodes) <= allowed and not warm.notes
        assert warm.incumbents[0].objective == pytest.approx(matrix.cost @ bad)
        assert matrix.cost @ bad > 2.0 * cold.objective
        assert warm.objective <= 1.01 * cold.objective
        unproven += cold.gap is not None and cold.gap > 1e-2
    assert unproven  # some searches were stopped before their proof, as by a time limit


def test_solves_that_are_known_are_not_done_again():
    done = []
    starters = {"none": nowhere, "previous": previous_plan(POOL)}

    def keep(solve: Solve, plan: Allocation) -> None:
        done.append((solve, plan))

    roll(INSTANCE, HOURS, starters, OPTIONS, SETS, gap=1e-4, done=keep)
    # none of the starters is always the first to find the machine idle
    assert [s.starter for s, _ in done] == ["none", "previous", "previous", "none"]
    asked = []

    def previous(problem, instance, plan):
        asked.append(plan)
        return starters["previous"](problem, instance, plan)

    later = []
    again = roll(
        INSTANCE, HOURS, {"none": nowhere, "previous": previous}, OPTIONS, SETS, gap=1e-4,
        done=lambda solve, plan: later.append(solve), known=done[:2],
    )  # fmt: skip
    assert len(asked) == 1 and asked[0] is done[1][1]  # the plan of the hour before
    assert [s.period for s in later] == [1, 1] and [
        s is t for s, (t, _) in zip(again[:2], done[:2], strict=True)
    ] == [True, True]
    np.testing.assert_allclose(
        [s.objective for s in again], [s.objective for s, _ in done], rtol=2e-4
    )


def test_time_to_the_first_good_incumbent():
    solve = Solve(0, "a", False, False, np.nan, 0.0, ((1.0, 120.0), (2.0, 100.9), (3.0, 100.0)),
                  4.0, 100.0, 99.0, 0.01, 1, "")  # fmt: skip
    assert first_within(solve, 100.0) == 2.0
    assert first_within(solve, 90.0) == np.inf


def test_bad_arguments():
    with pytest.raises(InputError, match="starters"):
        roll(INSTANCE, HOURS, {}, OPTIONS, SETS)
    with pytest.raises(InputError, match="pairs"):
        make_pool(INSTANCE, OPTIONS, SETS, np.zeros_like(PAIRS))
    with pytest.raises(InputError, match="replica"):
        make_pool(INSTANCE, OPTIONS._replace(replicas=2), SETS, PAIRS)
