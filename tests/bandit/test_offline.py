"""Sums of logs, and assumptions and policies: what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Policy, Settings, make_assumptions, offline_sums
from lpo.bandit.offline import check_log, no_offline
from lpo.bandit.policy import Pooling, Rule, check_policy
from lpo.errors import InputError
from tests import quick


def test_sums_of_a_log_are_those_of_its_rows():
    rng = np.random.default_rng(0)
    z, y, arm, weight = (
        rng.normal(size=(50, 3)),
        rng.normal(size=50),
        rng.integers(0, 4, 50),
        rng.uniform(0.5, 2, 50),
    )
    sums = quick.jit(offline_sums, static_argnums=3)
    found = sums(z, y, arm, 5, weight)
    for block in range(5):
        rows = arm == block
        scaled, rewards = weight[rows, None] * z[rows], weight[rows] * y[rows]
        np.testing.assert_allclose(found.gram[block], scaled.T @ scaled, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.moment[block], scaled.T @ rewards, rtol=1e-5, atol=1e-5)
        assert found.count[block] == rows.sum()
    whole = sums(z, y, weight=2.0)
    np.testing.assert_allclose(whole.gram[0], 4 * z.T @ z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole.moment[0], 4 * z.T @ y, rtol=1e-5, atol=1e-5)
    assert whole.count == 50


@pytest.mark.parametrize("arms", [None, np.zeros(0, int)])
def test_a_log_may_have_no_rows(arms):
    found = offline_sums(np.zeros((0, 3)), np.zeros(0), arms, 1)
    for one, other in zip(found, no_offline(1, 3), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": np.ones((2, 4))}, r"\[rows, 3\]"),
        ({"features": np.array([[1, 2, 3], [1, np.inf, 3]])}, "row 1, column 1"),
        ({"rewards": np.ones(3)}, r"\[2\]"),
        ({"rewards": np.array([0.0, np.nan])}, "rewards, row 1"),
        ({"arms": np.array([0])}, r"`arms` must be \[2\]"),
        ({"arms": np.array([0, 2])}, "arms, row 1: .*0 to 1, got 2"),
        ({"arms": np.array([0.5, 1])}, "arms, row 0"),
    ],
)
def test_what_is_no_log_is_refused(changes, words):
    given = {"features": np.ones((2, 3)), "rewards": np.ones(2), "arms": np.array([0, 1])}
    check_log(**given, blocks=2, dimension=3)
    with pytest.raises(InputError, match=words):
        check_log(**(given | changes), blocks=2, dimension=3)


@pytest.mark.parametrize("name", ["regularisation", "delta", "noise", "bound", "block_bound_off"])
@pytest.mark.parametrize("number", [0.0, -1.0, np.nan, np.inf])
def test_assumptions_that_cannot_hold_are_refused(name, number):
    with pytest.raises(InputError, match=name):
        make_assumptions(**{name: number})


def test_bounds_that_are_not_given():
    with pytest.raises(InputError, match="below 1"):
        make_assumptions(delta=1.0)
    assert make_assumptions(bound=2.0)[3:] == (2.0, 2.0, 2.0, 2.0)
    assert make_assumptions(bound=2.0, bound_off=3.0)[3:] == (2.0, 3.0, 2.0, 3.0)
    assert make_assumptions(bound=2.0, block_bound=0.5)[3:] == (2.0, 2.0, 0.5, 0.5)
    assert make_assumptions(bound=2.0, bound_off=3.0).cap == 5.0


@pytest.mark.parametrize(
    ("policy", "settings", "words"),
    [
        (Policy(Rule.ONLINE, learned=True), {}, "learned"),
        (Policy(learned=True, pooling=Pooling.PRECISION), {}, "learned"),
        (Policy(learned=True, audit=True), {}, "audit"),
        (Policy(Rule.POOLED, audit=True), {}, "audit"),
        (Policy(pooling=Pooling.PRECISION, forgets=True), {"discount": 0.9}, "discount"),
        (Policy(), {"discount": 0.9}, "forgets"),
        (Policy(forgets=True), {}, "forgets"),
        (Policy(), {"epsilon": 0.1}, "mixes"),
        (Policy(mixes=True), {"epsilon": 1.5}, "`epsilon` must be 0 to 1"),
        (Policy(), {"width_scale": -1.0}, "width_scale"),
        (Policy(), {"posterior_scale": np.nan}, "posterior_scale"),
        (Policy(forgets=True), {"discount": 0.0}, "discount"),
        (Policy(), {"horizon": np.inf}, "horizon"),
    ],
)
def test_policies_without_a_meaning_are_refused(policy, settings, words):
    with pytest.raises(InputError, match=words):
        check_policy(policy, Settings(**settings))


def test_policies_that_are_meant_are_not_refused():
    for policy in (Policy(), Policy(audit=True), Policy(learned=True), Policy(Rule.UNIFORM)):
        check_policy(policy, Settings())
    assert jnp.isfinite(jnp.asarray(Settings())).all()
