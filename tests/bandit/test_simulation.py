"""All policies against a loop over rounds in NumPy."""

from functools import cache

import jax
import numpy as np
import pytest

from lpo.bandit import (
    Case,
    Environment,
    Policy,
    Pooling,
    Rule,
    Settings,
    Widths,
    disjoint_family,
    simulate,
)
from lpo.bandit.policy import Claim, OfflineNoise
from lpo.bandit.simulation import SEGMENT, segments_of
from lpo.errors import InputError
from tests.bandit.numpy_policy import play
from tests.bandit.worlds import Worlds, of_seed, worlds

SEEDS, HORIZON, MOST, DELAY = 3, 200, 1200, 4


def small(case: Case) -> Environment:
    """Three arms that come and go, rewards that come late."""
    return disjoint_family(case, 3, 2, 300, 0.3, available=0.8, most_delay=DELAY)


ENVIRONMENT = small(Case.ALIGNED)
PER_BLOCK, PRECISION = Widths.PER_BLOCK, Pooling.PRECISION

POLICIES = {
    "min_ucb": Policy(claim=Claim.ELLIPSOID, union_split=False),
    "product": Policy(),
    "min_width": Policy(Rule.MIN_WIDTH, offline_noise=OfflineNoise.SUB_GAUSSIAN),
    "online": Policy(Rule.ONLINE),
    "pooled": Policy(Rule.POOLED),
    "naive": Policy(Rule.POOLED, Pooling.NAIVE),
    "greedy": Policy(Rule.OFFLINE_GREEDY),
    "euclidean": Policy(claim=Claim.EUCLIDEAN),
    "precision": Policy(pooling=PRECISION, offline_noise=OfflineNoise.SUB_GAUSSIAN),
    "precision_blocks": Policy(pooling=PRECISION, widths=PER_BLOCK),
    "blocks": Policy(widths=PER_BLOCK),
    "audit": Policy(audit=True),
    "learned": Policy(learned=True),
    "learned_blocks": Policy(learned=True, widths=PER_BLOCK),
    "forgets": Policy(forgets=True),
}


@cache
def met(environment: Environment, x64: bool) -> Worlds:
    with jax.enable_x64(x64):
        return worlds(environment, range(SEEDS), MOST)


@pytest.mark.parametrize("name", POLICIES)
def test_a_loop_in_numpy_plays_the_same_arms(name):
    """In double precision; numbers of widths are such that bounds differ in most rounds."""
    environment = small(Case.FALSE_CERTIFICATE) if name == "audit" else ENVIRONMENT
    policy = POLICIES[name]
    discount = 0.98 if policy.forgets else 1.0
    settings = Settings(width_scale=0.3, discount=discount, horizon=float(HORIZON))
    given = {name: (policy, settings)}
    played = simulate(environment, given, HORIZON, range(SEEDS), x64=True)[name]
    played = jax.device_get(played)
    trusted = []
    for seed in range(2):
        here = of_seed(met(environment, True), seed, HORIZON)
        loop = play(policy, settings, here, most_delay=DELAY)
        np.testing.assert_array_equal(played.arm[seed], loop.arm)
        regret = np.asarray(played.regret[seed])
        np.testing.assert_allclose(regret.sum(), loop.regret.sum(), rtol=1e-9, atol=1e-12)
        if policy.rule.two:
            np.testing.assert_array_equal(played.used_offline[seed], loop.used)
        np.testing.assert_array_equal(played.state.trusted[seed], loop.trusted)
        trusted.extend(loop.trusted)
    assert np.all(trusted) != policy.audit  # it closes some


@pytest.mark.parametrize("x64", [True, False])
def test_more_rounds_than_a_segment(x64):
    """Inverses are updated by rank one and rebuilt here, inverted in every round there."""
    policy, settings = POLICIES["min_ucb"], Settings()
    played = simulate(ENVIRONMENT, {"": (policy, settings)}, MOST, range(SEEDS), x64)[""]
    loop = play(policy, settings, of_seed(met(ENVIRONMENT, x64), 0), most_delay=DELAY)
    assert played.regret.dtype == (np.float64 if x64 else np.float32)
    regret = np.asarray(played.regret[0], np.float64)
    np.testing.assert_allclose(regret.sum(), loop.regret.sum(), rtol=1e-9 if x64 else 1e-3)
    if x64:
        np.testing.assert_array_equal(played.arm[0], loop.arm)


def test_mixing_plays_the_rule_or_any_arm_and_says_how_likely_that_was():
    policy, epsilon = Policy(mixes=True), 0.4
    settings = Settings(epsilon=epsilon)
    played = simulate(ENVIRONMENT, {"": (policy, settings)}, MOST, range(SEEDS), x64=True)[""]
    given = met(ENVIRONMENT, True)
    here = of_seed(given, 0, HORIZON)  # what is best follows from what was played
    loop = play(policy, settings, here, np.asarray(played.arm[0]), DELAY)
    arms = here.rounds.allowed.sum(1)
    likely = epsilon / arms + (1 - epsilon) * (loop.best == loop.arm)
    np.testing.assert_allclose(played.propensity[0, :HORIZON], likely, rtol=1e-5)
    # how often another arm than the best is played
    allowed, propensity = np.asarray(given.rounds.allowed), np.asarray(played.propensity)
    count = allowed.sum(-1)
    other = np.isclose(propensity, epsilon / count, rtol=1e-5)
    likely = epsilon * (1 - 1 / count)
    assert abs((other - likely).sum()) < 4 * np.sqrt((likely * (1 - likely)).sum())
    assert np.take_along_axis(allowed, np.asarray(played.arm)[..., None], -1).all()


def test_uniform_plays_all_arms_that_exist_alike():
    given = {"": (Policy(Rule.UNIFORM), Settings())}
    played = simulate(ENVIRONMENT, given, MOST, range(SEEDS), x64=True)[""]
    allowed = np.asarray(met(ENVIRONMENT, True).rounds.allowed)
    np.testing.assert_allclose(played.propensity, 1 / allowed.sum(-1), rtol=1e-6)
    for arm in range(3):
        likely = allowed[..., arm] / allowed.sum(-1)
        hit = np.asarray(played.arm) == arm
        assert abs((hit - likely).sum()) < 4 * np.sqrt((likely * (1 - likely)).sum())


def test_a_policy_plays_the_same_whoever_else_plays_and_for_how_long():
    given = {
        "one": (POLICIES["min_ucb"], Settings()),
        "uniform": (Policy(Rule.UNIFORM), Settings()),
    }
    both = simulate(ENVIRONMENT, given, MOST, range(SEEDS), x64=True)
    for name in given:
        alone = simulate(ENVIRONMENT, {name: given[name]}, HORIZON, [2, 0, 1], x64=True)[name]
        np.testing.assert_array_equal(alone.arm[1], both[name].arm[0, :HORIZON])
        np.testing.assert_array_equal(alone.regret[1], both[name].regret[0, :HORIZON])


def test_precisions_do_not_mix():
    """The same instances in single, double and single precision, in one process."""
    given = {"": (POLICIES["min_ucb"], Settings())}
    runs = [simulate(ENVIRONMENT, given, 50, range(SEEDS), x)[""] for x in (False, True, False)]
    types = [{leaf.dtype for leaf in jax.tree.leaves((run.regret, run.state.log))} for run in runs]
    assert types == [{np.dtype(np.float32)}, {np.dtype(np.float64)}, {np.dtype(np.float32)}]
    np.testing.assert_array_equal(runs[0].regret, runs[2].regret)
    np.testing.assert_allclose(np.unique(runs[1].state.log.budgets), [0.0, 1.28], rtol=1e-15)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"horizon": 0}, "horizon"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"policy": Policy(audit=True), "settings": Settings(horizon=9.0)}, "at least 10"),
        ({"policy": Policy(mixes=True)}, "mixes"),
    ],
)
def test_what_cannot_be_played_is_refused(changes, words):
    given = {"horizon": 10, "seeds": [0], "policy": Policy(), "settings": Settings()} | changes
    policies = {"": (given["policy"], given["settings"])}
    with pytest.raises(InputError, match=words):
        simulate(ENVIRONMENT, policies, given["horizon"], given["seeds"])


def test_segments_are_told_as_they_are_done():
    """Of each policy, and nothing else changes."""
    given = {name: (POLICIES[name], Settings()) for name in ("min_ucb", "online")}
    told: list[int] = []
    one = simulate(ENVIRONMENT, given, SEGMENT + 1, [0], advance=told.append)
    assert told == [1] * 2 * segments_of(SEGMENT + 1) and segments_of(SEGMENT + 1) == 2
    two = simulate(ENVIRONMENT, given, SEGMENT + 1, [0])
    for name in given:
        np.testing.assert_array_equal(one[name].regret, two[name].regret)
