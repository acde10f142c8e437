"""Stages against a loop in NumPy written from the published pseudo-code."""

from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from scipy.linalg import block_diag

from lpo.bandit import Case, Environment, Policy, Rule, Settings, Widths, disjoint_family, simulate
from lpo.bandit.policy import Pooling, check_policy, stages_of
from lpo.bandit.spherical import spherical_family
from lpo.errors import InputError
from tests.bandit.worlds import Trace, Worlds, of_seed, trace, worlds

SEEDS, HORIZON = 3, 250
SETTINGS = Settings(width_scale=0.12, horizon=float(HORIZON))
POLICY = Policy(Rule.STAGED, stages=stages_of(HORIZON))
SPLIT = {
    "published": POLICY._replace(union_split=False),
    "split": POLICY,
    "blocks": POLICY._replace(widths=Widths.PER_BLOCK),
}


class Loop(NamedTuple):
    """arm, used: [T]. stage: in which a round is stored, 0 being the first, or -1, [T]. alive: arms
    that were left when it stopped, [T, K]."""

    arm: list[int]
    used: list[bool]
    stage: list[int]
    alive: list[set[int]]


def play(policy: Policy, settings: Settings, given: Worlds) -> Loop:
    """One seed; whole matrices, inverted anew; all stages, also those that cannot be reached."""
    a, rounds = given.assumptions, given.rounds
    log: Any = given.offline
    lam, sigma, T = a.regularisation, a.noise, settings.horizon
    g, c = log.moment.shape
    d, arms = g * c, rounds.means.shape[1]
    n = int(np.ceil(np.log2(T)))
    events, per_block = (4 if policy.union_split else 1), policy.widths is Widths.PER_BLOCK
    alpha = sigma * np.sqrt(2 * np.log(2 * T * arms * n * events / a.delta))
    B, size, union = (a.block_bound, c, events * g) if per_block else (a.bound, d, events)
    gamma = sigma * (np.sqrt(size) + np.sqrt(2 * np.log(union / a.delta)))
    G, b_off = block_diag(*log.gram), log.moment.reshape(-1)
    budgets = [np.asarray(block_diag(*part)) for part in np.asarray(given.certificate.budgets)]
    halves = []
    for Q in budgets:
        value, vector = np.linalg.eigh(Q)
        halves.append(np.sqrt(np.clip(value, 0, None))[:, None] * vector.T)
    sums = [np.zeros((d, d)) for _ in range(n)]
    moments = [np.zeros(d) for _ in range(n)]
    out = Loop([], [], [], [])
    for t in range(len(rounds.means)):
        x = np.zeros((arms, d))
        for k in range(arms):
            start = k * c if g > 1 else 0
            x[k, start : start + c] = rounds.features[t, k]
        A, s = {k for k in range(arms) if rounds.allowed[t, k]}, 1
        while True:
            V = np.linalg.inv(lam * np.eye(d) + sums[s - 1])
            W = np.linalg.inv(lam * np.eye(d) + sums[s - 1] + G)
            w, u, log_is_narrower = {}, {}, {}
            for k in A:
                scale = settings.width_scale
                on = scale * (alpha + np.sqrt(lam) * B) * np.sqrt(x[k] @ V @ x[k])
                off = scale * (alpha + np.sqrt(lam) * B + gamma) * np.sqrt(x[k] @ W @ x[k])
                off += sum(np.linalg.norm(half @ G @ W @ x[k]) for half in halves)
                log_is_narrower[k] = off < on
                theta = W @ (b_off + moments[s - 1]) if off < on else V @ moments[s - 1]
                w[k] = min(on, off)
                u[k] = x[k] @ theta + w[k]
            if all(width <= 1 / np.sqrt(T) for width in w.values()):
                arm, stored = max(A, key=lambda k: u[k]), -1
                break
            if any(width > 2.0**-s for width in w.values()):
                arm, stored = max(A, key=lambda k: w[k]), s - 1
                break
            best = max(u.values())
            A = {k for k in A if u[k] >= best - 2.0 ** (1 - s)}
            s += 1
        if stored >= 0:
            sums[stored] += np.outer(x[arm], x[arm])
            moments[stored] += x[arm] * rounds.rewards[t, arm]
        out.arm.append(arm)
        out.used.append(log_is_narrower[arm])
        out.stage.append(stored)
        out.alive.append(A)
    return out


@cache
def environment(joint: bool) -> Environment:
    if joint:
        return spherical_family(Case.ALIGNED, 4, 4, 300, available=0.8)
    return disjoint_family(Case.ALIGNED, 3, 2, 300, 0.3, available=0.8)


@cache
def met(joint: bool) -> Worlds:
    with jax.enable_x64(True):
        return worlds(environment(joint), range(SEEDS), HORIZON)


@cache
def traced(name: str, joint: bool) -> Trace:
    with jax.enable_x64(True):
        return trace(SPLIT[name], SETTINGS, met(joint))


@pytest.mark.parametrize(
    ("name", "joint"),
    [("split", False), ("blocks", False), ("published", True)],
)
def test_stages_are_those_of_the_pseudo_code(name, joint):
    """The same arms, stored in the same stages, and the same arms left."""
    found = jax.device_get(traced(name, joint).decision)
    stages = []
    for seed in range(SEEDS):
        loop = play(SPLIT[name], SETTINGS, of_seed(met(joint), seed))
        np.testing.assert_array_equal(found.arm[seed], loop.arm)
        np.testing.assert_array_equal(found.stage[seed], loop.stage)
        np.testing.assert_array_equal(found.used_offline[seed], loop.used)
        left = [{int(k) for k in np.flatnonzero(row > -np.inf)} for row in found.index[seed]]
        assert left == loop.alive
        stages.extend(loop.stage)
    assert {-1, 1, 2, 3} <= set(stages)  # rounds of several stages, and rounds that end unstored


def test_the_best_arm_is_never_eliminated():
    """At the widths of theory, which hold."""
    with jax.enable_x64(True):
        given = met(False)
        settings = SETTINGS._replace(width_scale=1.0)
        found = trace(POLICY, settings, given).decision
        exists, means = np.asarray(given.rounds.allowed), np.asarray(given.rounds.means)
    best = np.where(exists, means, -np.inf).argmax(-1)[..., None]
    assert (np.take_along_axis(np.asarray(found.index), best, -1) > -np.inf).all()
    assert (np.isinf(found.index) >= ~exists).all()


def test_some_arms_are_eliminated():
    found = np.asarray(traced("split", False).decision.index)
    exists = np.asarray(met(False).rounds.allowed)
    assert (np.isinf(found) & exists).mean() > 0.05


def test_what_is_stored_is_in_one_stage():
    """The grams of the stages are the sums over the rounds stored in each."""
    found, given = traced("split", False), met(False)
    stage, arm = np.asarray(found.decision.stage), np.asarray(found.decision.arm)
    x = np.take_along_axis(np.asarray(given.rounds.features), arm[..., None, None], 2)[:, :, 0]
    for s in range(found.state.gram.shape[1]):
        into = np.eye(3)[arm] * (stage == s)[..., None]
        gram = np.einsum("ntg,ntc,ntd->ngcd", into, x, x)
        np.testing.assert_allclose(found.state.gram[:, s], gram, atol=1e-12)
        V = gram + np.eye(2)
        np.testing.assert_allclose(found.state.online.inverse[:, s], np.linalg.inv(V), rtol=1e-9)


def test_the_simulation_stores_late_rewards_where_their_rounds_belong():
    """Without delays as `trace` does, which passes on each decision; with them all are stored."""
    late = disjoint_family(Case.ALIGNED, 3, 2, 300, 0.3, available=0.8, most_delay=3)
    for given in (environment(False), late):
        policies = {"": (POLICY, SETTINGS)}
        played = simulate(given, policies, HORIZON, range(SEEDS), x64=True)[""]
        if given is not late:
            np.testing.assert_array_equal(played.arm, traced("split", False).decision.arm)
            rows = played.state.gram.trace(axis1=-2, axis2=-1).sum((1, 2))
            np.testing.assert_allclose(rows, (traced("split", False).decision.stage >= 0).sum(1))
    assert played.state.round.tolist() == pytest.approx([HORIZON] * SEEDS, abs=3)


def test_mixing_stores_only_what_the_stages_chose():
    policy = POLICY._replace(mixes=True)
    settings = SETTINGS._replace(epsilon=0.5)
    with jax.enable_x64(True):
        found = trace(policy, settings, met(False)).decision
        count = met(False).rounds.allowed.sum(-1)
    best = np.asarray(found.index).argmax(-1) == np.asarray(found.arm)
    assert (np.asarray(found.stage)[~best] == -1).all() and (~best).any()
    np.testing.assert_allclose(found.propensity, 0.5 / count + 0.5 * best)


@pytest.mark.parametrize(
    ("policy", "settings", "words"),
    [
        (POLICY._replace(stages=7), SETTINGS, "`stages` must be 8"),
        (Policy(stages=8), SETTINGS, "`stages` must be 0"),
        (POLICY._replace(pooling=Pooling.PRECISION), SETTINGS, "ridge"),
        (POLICY._replace(audit=True), SETTINGS, "audit"),
        (POLICY._replace(forgets=True), SETTINGS._replace(discount=0.9), "discount"),
        (POLICY, SETTINGS._replace(horizon=0.5), "horizon"),
    ],
)
def test_what_has_no_stages_is_refused(policy: Policy, settings: Settings, words: Any):
    with pytest.raises(InputError, match=words):
        check_policy(policy, settings)


def test_stages_of_few_rounds():
    assert [stages_of(T) for T in (1, 2, 3, 4, 5, 4000, 4096)] == [1, 1, 2, 2, 3, 12, 12]
    given = {"": (Policy(Rule.STAGED, stages=1), Settings(horizon=1.0))}
    played = simulate(environment(False), given, 1, range(SEEDS), x64=True)[""]
    assert played.arm.shape == (SEEDS, 1)
