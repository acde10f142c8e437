"""The audit: it rarely doubts a certificate that holds, and soon one that does not."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.bandit import Case, Offline, Policy, Settings, disjoint_family, make_assumptions
from lpo.bandit.certificate import blocks
from lpo.bandit.state import init, update
from tests import quick
from tests.bandit.worlds import Worlds, trace, worlds

SEEDS, HORIZON = 100, 400
SETTINGS = Settings(horizon=float(HORIZON))
DELTA = 0.2


@cache
def doubted(case: Case, policy: Policy) -> tuple[np.ndarray, Worlds]:
    """Whether each block of each seed is trusted no more, [N, g]."""
    given = worlds(disjoint_family(case, 3, 2, 2000, delta=DELTA), range(SEEDS), HORIZON)
    return ~np.asarray(trace(policy, SETTINGS, given).state.trusted), given


@pytest.mark.parametrize("case", [Case.ALIGNED, Case.ADVERSARIAL])
def test_a_certificate_that_holds_is_rarely_doubted(case):
    """At delta .2, so that it could be seen."""
    for policy in (Policy(audit=True), Policy(audit=True, union_split=False)):
        assert doubted(case, policy)[0].any(1).mean() <= DELTA


def test_a_certificate_that_does_not_hold_is_doubted_where_it_is_used():
    closed, _ = doubted(Case.FALSE_CERTIFICATE, Policy(audit=True))
    assert closed.any(1).mean() > 0.9


@quick.jit
def _alarms(bias: Any, noise: Any, key: jax.Array) -> jax.Array:
    """Of 400 runs of one arm with one feature, which is always 1, and a bias on the boundary of
    the certificate: the least lucky case."""
    policy, n = Policy(audit=True, union_split=False), 10_000
    given = make_assumptions(delta=DELTA, noise=0.5, bound=1e-3, block_bound_off=1e-3)
    settings = Settings(horizon=1000.0)

    def run(key: jax.Array) -> jax.Array:
        of_log, of_rounds = jax.random.split(key)
        y = n * bias + jnp.sqrt(n) * noise * jax.random.normal(of_log, (1, 1))  # the sum of n rows
        log = Offline(jnp.full((1, 1, 1), 1.0 * n), y, jnp.full(1, n))
        state = init(policy, settings, given, log, blocks([1.0], 1), 1)
        rewards = noise * jax.random.normal(of_rounds, (1000,))

        def step(state: Any, reward: jax.Array) -> tuple[Any, None]:
            return update(policy, state, jnp.ones(1), jnp.asarray(0), reward), None

        return ~jax.lax.scan(step, state, rewards)[0].trusted[0]

    return jax.vmap(run)(jax.random.split(key, 400))


def test_alarms_on_the_boundary_and_beyond():
    key = jax.random.key(0)
    with jax.enable_x64(True):
        assert _alarms(1.0, 0.5, key).mean() <= DELTA
        assert _alarms(-1.0, 0.5, key).mean() <= DELTA
        for bias in (1.3, -1.3):
            assert _alarms(bias, 0.5, key).mean() > 0.99


def test_a_doubted_block_has_no_pooled_bound():
    closed, given = doubted(Case.FALSE_CERTIFICATE, Policy(audit=True))
    bounds = trace(Policy(audit=True), SETTINGS, given).decision.bounds
    last = np.isinf(bounds.pooled_width[:, -1])
    assert (last <= closed).all() and last.any()  # closed in the last round: not seen yet
    assert (~np.isinf(bounds.pooled_width[:, 0])).all()
