"""What changes since the log, what its manifest says, and what policies make of it."""

from typing import Any

import jax
import numpy as np
import pytest

from lpo.bandit import simulate
from lpo.bandit.contenders import policy_named
from lpo.bandit.product import Kind, bias_of, certificate_of_manifest, environment_of
from lpo.bandit.product.changes import affected, drawn, entry
from lpo.bandit.product.features import FEATURES
from lpo.bandit.product.linear import linear_fit
from tests import quick
from tests.bandit.product.routing import outside, product


@pytest.mark.parametrize("kind", list(Kind))
def test_bias_is_within_the_budget(kind):
    given = product(change=kind)
    hit = affected(given.change, given.deployments)
    sizes = []
    draw = quick.jit(jax.vmap(lambda key: drawn(given.change, given.deployments, 0.05, key)))
    every = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(0), 8)))
    for run in range(8):
        before, after = jax.tree.map(lambda leaf, run=run: leaf[run], every)
        bias = bias_of(given, before, after)
        assert outside(given.budgets, bias).max() <= 0.0
        sizes.append(np.linalg.norm(bias, axis=1))
    if kind is not Kind.NONE:  # and the change is not hidden in what is allowed anyway
        assert np.mean(sizes, axis=0)[hit].max() > 2.0 * np.mean(sizes, axis=0)[~hit].max()
        assert len(given.budgets) > 1


def test_what_each_change_touches():
    names = {
        Kind.MODEL_UPGRADE: ("Llama-3.2-31B", {"conversation", "code"}),
        Kind.PRICE_CHANGE: ("H100", {"buy_read", "buy_write"}),
        Kind.NEW_HARDWARE: ("H100", {"wait_read", "wait_write", "wait_load", "wait_write_load"}),
    }
    for kind, (what, touched) in names.items():
        given = product(change=kind)
        arms = [each.name for each in given.deployments if what in each.name]
        assert set(given.manifest) == {entry(arm, f) for arm in arms for f in touched}
        hit = affected(given.change, given.deployments)
        before, after = drawn(given.change, given.deployments, 0.0, jax.random.key(1))
        moved = [
            (np.asarray(a) != np.asarray(b)).reshape(8, -1).any(1)
            for a, b in zip(before, after, strict=True)
        ]
        expected = [kind is Kind.MODEL_UPGRADE, kind is Kind.PRICE_CHANGE]
        for part, counts in zip(moved, [*expected, kind is Kind.NEW_HARDWARE], strict=True):
            np.testing.assert_array_equal(part, hit & counts)


def test_an_unknown_size_is_the_bound_on_norms():
    given = product(change="new_hardware", known=False)
    assert set(given.manifest.values()) == {None}
    cap = 2.0 * given.assumptions.block_bound
    hit = affected(given.change, given.deployments)
    wait = [j for j, name in enumerate(FEATURES) if name.startswith("wait")]
    for j in wait:
        part = given.budgets[1:, :, j, j].max(0)
        np.testing.assert_allclose(part, np.where(hit, cap**2, 0.0), rtol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NONE])
def test_bounds_on_norms_cover_a_size_that_is_not_said(kind):
    """Whatever the change, the parameters of now are within them."""
    told, silent = (product(change=kind, size=1.0, known=known) for known in (True, False))
    assert silent.assumptions == told.assumptions
    draw = quick.jit(jax.vmap(lambda key: drawn(silent.change, silent.deployments, 0.0, key)))
    every = jax.tree.map(np.asarray, draw(jax.random.split(jax.random.key(0), 30)))
    most = silent.assumptions.block_bound
    assert most > product().assumptions.block_bound
    for run in range(30):
        before, after = jax.tree.map(lambda leaf, run=run: leaf[run], every)
        assert outside(silent.budgets, bias_of(silent, before, after)).max() <= 0.0
        for terms in (before, after):
            assert np.linalg.norm(linear_fit(silent, terms).theta, axis=-1).max() <= most


def test_budgets_of_a_manifest():
    manifest: Any = {entry("a", "code"): 0.3, entry("b", "code"): 0.2, entry("b", "wait_load"): 0.1}
    budgets = np.asarray(certificate_of_manifest(manifest, ["a", "b"], 5.0, 0.02).budgets)
    code, load = FEATURES.index("code"), FEATURES.index("wait_load")
    np.testing.assert_allclose(budgets[0], 0.02**2 * np.broadcast_to(np.eye(8), (2, 8, 8)))
    assert budgets.shape == (3, 2, 8, 8) and np.count_nonzero(budgets[1:]) == 3
    assert budgets[1, 0, code, code] == pytest.approx(0.09)
    assert budgets[1, 1, code, code] == pytest.approx(0.04)
    assert budgets[2, 1, load, load] == pytest.approx(0.01)


def test_a_log_helps_and_an_upgrade_does_not_hurt_much():
    names = "linucb_blocks", "ellipsoidal_blocks"
    policies = {name: policy_named(name) for name in names}
    for kind, most in ((Kind.NONE, 0.6), (Kind.MODEL_UPGRADE, 1.0)):
        played = simulate(environment_of(product(change=kind)), policies, 1500, [0, 1, 2])
        online, both = (np.asarray(played[name].regret).sum(1) for name in names)
        assert both.mean() < most * online.mean()
        assert (both < 1.2 * online).all()


def test_delays_and_full_pools_cost_little():
    policies = {"e": policy_named("ellipsoidal_blocks")}
    for options in ({"most_delay": 20}, {"capacity": True}):
        given = product(**options)
        played = simulate(environment_of(given), policies, 500, [0, 1, 2])["e"]
        assert np.isfinite(np.asarray(played.regret)).all()
        assert (np.asarray(played.regret) >= -1e-6).all()
        if "most_delay" in options:  # the last rewards have not been seen
            assert 480 <= int(played.state.round[0]) < 500
