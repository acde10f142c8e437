"""L2O-DM and L2O-RNNProp: what they are told, what bounds their steps, that training helps."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.gradient import adam
from lpo.l2o.classical.method import path
from lpo.l2o.family import Family, sample_problems
from lpo.l2o.learned import l2o_dm, rnnprop, unrolls
from lpo.l2o.learned.optimiser import Optimiser, method_of
from lpo.l2o.learned.solved import Solved
from tests.l2o.worlds import counted, gradients_taken, program_of, quadratic
from tests.quick import jit

MAKERS = {"l2o_dm": l2o_dm.l2o_dm, "rnnprop": rnnprop.rnnprop}
FAMILY = quadratic((1.0, 4.0, 9.0))
STEPS = 120


@cache
def world(name: str) -> tuple[Optimiser, Any, Any]:
    """A rule, its training data and what trains it on them."""
    optimiser = MAKERS[name]()
    problems = sample_problems(FAMILY, jax.random.key(1), 256)
    data = Solved(problems, FAMILY.solve(problems))
    training = unrolls.make_training(
        FAMILY, optimiser, steps=STEPS, unroll=10, episode=30, batch=8, rate=1e-2
    )
    return optimiser, data, program_of(training)


@cache
def trained(name: str) -> tuple[Optimiser, Any]:
    optimiser, data, program = world(name)
    return optimiser, program(jax.random.key(0), data, STEPS).params


def gap(family: Family, method, problems, starts, steps: int) -> np.ndarray:
    run = jit(jax.vmap(lambda p, x: path(family, method, p, x, steps).value))
    return np.asarray(run(problems, starts) - family.solve(problems).value[:, None])


@pytest.mark.parametrize("name", MAKERS)
def test_trained_rules_lower_new_problems_faster_than_adam(name: str):
    optimiser, params = trained(name)
    problems = sample_problems(FAMILY, jax.random.key(5), 64)
    starts = jax.vmap(FAMILY.prior)(jax.random.split(jax.random.key(6), 64))
    found = gap(FAMILY, method_of(FAMILY, optimiser, params), problems, starts, 30)
    before = gap(
        FAMILY,
        method_of(FAMILY, optimiser, optimiser.init(jax.random.key(0))),
        problems,
        starts,
        30,
    )
    classical = min(
        float(gap(FAMILY, adam(FAMILY, rate), problems, starts, 30)[:, -1].mean())
        for rate in (0.03, 0.1, 0.3)
    )
    assert found[:, -1].mean() < 0.05 * found[:, 0].mean()
    assert found[:, -1].mean() < 0.2 * before[:, -1].mean()
    assert found[:, -1].mean() < classical


@pytest.mark.parametrize("name", MAKERS)
def test_training_repeats_bit_for_bit(name: str):
    _, data, program = world(name)
    once, again = (program(jax.random.key(7), data, 5) for _ in range(2))
    for one, other in zip(jax.tree.leaves(once), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", MAKERS)
def test_coordinates_are_treated_alike(name: str):
    optimiser = MAKERS[name]()
    params = optimiser.init(jax.random.key(0))
    g, order = jnp.asarray([0.3, -2.0, 1e-6, 0.0]), jnp.asarray([2, 0, 3, 1])

    def moves(g: jax.Array) -> list[jax.Array]:
        memory, moves = optimiser.start(4), []
        update = jit(optimiser.update)
        for factor in (1.0, 0.5, -0.2):
            move, memory = update(params, memory, factor * g)
            moves.append(move)
        return moves

    for moved, permuted in zip(moves(g), moves(g[order]), strict=True):
        np.testing.assert_allclose(moved[order], permuted, atol=1e-7)
        assert len(np.unique(np.asarray(moved))) == 4


@pytest.mark.parametrize("name", MAKERS)
def test_one_gradient_a_step(name: str):
    optimiser = MAKERS[name]()
    own = counted(FAMILY)
    method = method_of(own.family, optimiser, optimiser.init(jax.random.key(0)))
    last = []

    def run():
        found = jit(lambda p, x: path(own.family, method, p, x, 6))(jnp.ones(3), jnp.zeros(3))
        last.append(int(found.calls[-1]))
        return found

    assert gradients_taken(own, run) == last[0] == 6


def test_log_and_sign_by_hand():
    tiny = float(np.exp(-10.0))
    g = jnp.asarray([1.0, -np.e, np.exp(-5.0), -0.5 * tiny, 0.0])
    expected = [[0.0, 1.0], [0.1, -1.0], [-0.5, 1.0], [-1.0, -0.5], [-1.0, 0.0]]
    np.testing.assert_allclose(l2o_dm.log_and_sign(g), expected, atol=1e-6)
    # finite derivatives everywhere, as second derivatives of objectives may be asked for
    slopes = jax.jacobian(l2o_dm.log_and_sign)(jnp.asarray([0.0, 1e-30, 1.0]))
    assert np.isfinite(slopes).all()


def test_rnnprop_is_told_gradients_in_their_own_units_and_bounded():
    optimiser = rnnprop.rnnprop(step=0.02)
    params = optimiser.init(jax.random.key(0))
    small = large = optimiser.start(2)
    update = jit(optimiser.update)
    for g in ([1.0, -1.0], [0.2, 3.0], [-0.7, 0.1]):
        move, small = update(params, small, jnp.asarray(g))
        scaled, large = update(params, large, 1e3 * jnp.asarray(g))
        np.testing.assert_allclose(move, scaled, atol=1e-6)
        assert (jnp.abs(move) <= 0.02).all()
    np.testing.assert_allclose(
        small.m,
        0.05 * (0.9025 * np.array([1, -1]) + 0.95 * np.array([0.2, 3]) + np.array([-0.7, 0.1])),
        rtol=1e-5,
    )
    huge = jax.tree.map(lambda leaf: 100.0 * leaf, params)
    move, _ = update(huge, optimiser.start(2), jnp.ones(2))
    assert (jnp.abs(move) <= 0.02).all()


def test_unrolls_of_an_episode_go_on_where_the_last_one_ended():
    optimiser = l2o_dm.l2o_dm()
    problems = sample_problems(FAMILY, jax.random.key(1), 8)
    data = Solved(problems, FAMILY.solve(problems))
    training = unrolls.make_training(
        FAMILY, optimiser, steps=10, unroll=5, episode=15, batch=4, rate=0.0
    )
    state = training.init(jax.random.key(0))
    states = []
    update = jit(training.update)
    for i in range(4):
        state, _ = update(jax.random.key(10 + i), state, data)
        states.append(state.episode)
    np.testing.assert_array_equal(states[0].row, states[2].row)
    assert not np.array_equal(states[3].first, states[2].first)  # new ones, after 15 steps
    method = method_of(FAMILY, optimiser, state.params)
    first, third = states[0], states[2]
    row = int(third.row[0])
    carried = jax.tree.map(lambda leaf: leaf[0], first.memory)
    run = method.init(data.problems[row], first.x[0])._replace(memory=carried)
    step = jit(method.step)
    for _ in range(10):
        run = step(data.problems[row], run)
    np.testing.assert_allclose(run.x, third.x[0], atol=1e-5)


def test_bad_settings_are_refused():
    with pytest.raises(InputError, match="`scale`"):
        l2o_dm.l2o_dm(0.0)
    with pytest.raises(InputError, match="`step`"):
        rnnprop.rnnprop(-1.0)
    with pytest.raises(InputError, match="multiple of `unroll`"):
        unrolls.make_training(FAMILY, l2o_dm.l2o_dm(), steps=1, unroll=20, episode=50)
