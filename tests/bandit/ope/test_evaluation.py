"""The long table of estimates, its notes, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lpo.bandit.ope import (
    Estimator,
    Ranges,
    always,
    evaluate,
    greedy,
    make_log,
    predicted_rewards,
    uniform,
)
from lpo.errors import InputError

N, K = 300, 3
THETA = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(N, 2))
    actions = rng.choice(K, N, p=[0.5, 0.3, 0.2])
    rewards = np.clip((contexts * THETA[actions]).sum(1) + 0.1 * rng.normal(size=N), -3, 3)
    return make_log(contexts, actions, rewards, np.array([0.5, 0.3, 0.2])[actions])


@pytest.fixture(scope="module")
def policies(log):
    logging = np.broadcast_to([0.5, 0.3, 0.2], (N, K))
    return {"logging": logging, "best": greedy(predicted_rewards(log))}


def table_of(evaluation):
    table: Any = pd.DataFrame(evaluation.rows).set_index(["policy", "estimator"])
    return table


def test_the_table_is_long_and_its_estimates_make_sense(log, policies):
    found = evaluate(log, policies, interval="bootstrap")
    table = table_of(found)
    assert "\ndm: intervals leave out the error" in "\n".join(found.notes)  # no weight is above 5
    assert list(table.index) == [(p, e) for p in policies for e in Estimator]
    assert (table["n"] == N).all()
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    assert table[["shift", "low_new", "high_new"]].isna().all(axis=None)
    own = table.loc["logging"]
    assert own.loc[["ips", "snips", "clipped_ips"], "value"].to_numpy() == pytest.approx(
        log.rewards.mean(), abs=1e-12
    )
    assert found.mean_reward == pytest.approx(log.rewards.mean())
    np.testing.assert_allclose(own["effective_sample_size"], N)
    best = (log.contexts @ THETA.T).max(1).mean()
    assert (table.loc["best", "low"] < best + 0.1).all()
    assert (np.abs(table.loc["best", "value"] - best) < 0.25).all()
    assert (
        table.loc[("best", "dr"), "standard_error"] < table.loc[("best", "ips"), "standard_error"]
    )


def test_ends_of_clipping_and_switching(log, policies):
    far = table_of(evaluate(log, policies, clip=np.inf, switch=np.inf))["value"].unstack()
    np.testing.assert_array_equal(far["clipped_ips"], far["ips"])
    np.testing.assert_array_equal(far["switch_dr"], far["dr"])
    near = table_of(evaluate(log, policies, switch=0.0))["value"].unstack()
    np.testing.assert_allclose(near["switch_dr"], near["dm"], rtol=1e-13)


def test_the_same_seed_gives_the_same_numbers(log, policies):
    one, same, other = (
        evaluate(log, policies, interval="bootstrap", seed=seed).rows for seed in (3, 3, 4)
    )
    pd.testing.assert_frame_equal(pd.DataFrame(one), pd.DataFrame(same))
    ips = Estimator.IPS
    assert [r.value for r in one if r.estimator == ips] == [
        r.value for r in other if r.estimator == ips
    ]
    assert [r.low for r in one] != [r.low for r in other]


def test_a_level_widens_the_normal_interval(log, policies):
    narrow, wide = (table_of(evaluate(log, policies, level=level)) for level in (0.5, 0.95))
    ratio = (wide["high"] - wide["low"]) / (narrow["high"] - narrow["low"])
    np.testing.assert_allclose(ratio, 1.959964 / 0.674490, rtol=1e-5)


def test_a_certificate_widens_intervals_by_its_allowance(log, policies):
    budgets = np.broadcast_to(0.04 * np.eye(2), (1, K, 2, 2))
    found = evaluate(log, policies, budgets=budgets)
    table = table_of(found)
    allowance = 0.2 * np.linalg.norm(log.contexts, axis=1).mean()
    np.testing.assert_allclose(table["shift"], allowance, rtol=1e-12)
    np.testing.assert_allclose(table["low_new"], table["low"] - allowance)
    np.testing.assert_allclose(table["high_new"], table["high"] + allowance)
    assert "as they were logged; low_new and high_new" in found.notes[0]
    fixed = table_of(evaluate(log, policies, budgets=budgets, shift="fixed"))
    assert (fixed["shift"] < table["shift"]).all()
    assert (fixed["shift"]["logging"] < 0.1 * allowance).all()  # contexts have a mean of about 0


def test_empirical_bernstein_is_for_weighted_rewards_of_known_bounds(log, policies):
    options = {"interval": "empirical_bernstein", "clip": 2.5}
    found = evaluate(log, policies, ranges=Ranges(-3.0, 3.0, 5.0), **options)
    width = table_of(found).eval("high - low").unstack()
    normal = table_of(evaluate(log, policies)).eval("high - low").unstack()
    assert (width["ips"] > normal["ips"]).all()
    assert (width["clipped_ips"] < width["ips"]).all()
    assert width[["snips", "dm", "dr", "switch_dr"]].isna().all(axis=None)
    assert any("no empirical Bernstein interval" in note for note in found.notes)
    for ranges, message in (
        (None, "needs `ranges`"),
        (Ranges(0.0, 3.0, 5.0), "`ranges`: 0 to 3 given, but the reward of row "),
        (Ranges(-3.0, 3.0, 4.0), "`ranges.weight` must be at least its weight, 5, got 4"),
        (Ranges(1.0, 0.0), "low < high"),
        (Ranges(0.0, 1.0, 0.5), "`ranges.weight` must be at least 1"),
    ):
        with pytest.raises(InputError) as error:
            evaluate(log, policies, ranges=ranges, **options)
        assert message in str(error.value)


def test_notes_warn_of_logs_that_cannot_tell(log):
    rare = np.arange(N) == 0  # one row that the policy would have had, with one weight
    actions = np.where(rare, 1, 0)
    poor = log._replace(actions=actions, propensities=np.where(rare, 0.01, 0.99))
    found = evaluate(poor, {"b": always(poor, 1), "c": always(poor, 2)})
    notes = "\n".join(found.notes)
    assert "policy `b`: the effective sample size is 1, below 1 % of 300 rows" in notes
    assert "policy `c`: takes no logged action in any row" in notes
    assert "clipped_ips, dm, switch_dr: intervals leave out the error" in notes
    values = table_of(found)["value"]
    assert np.isnan(values[("c", "snips")]) and values[("c", "ips")] == 0.0


def notes_on(log):
    return evaluate(log, {"u": uniform(log)}, ["ips"]).notes


def test_rounded_propensities_are_not_wrong_ones(log):
    """1 / 3 as .3333 or .33: all weights are 1.0001, or 1.01, with a standard error of 0."""
    for written, said in ((0.3333, False), (0.33, False), (0.34, True), (0.3433, True)):
        notes = notes_on(log._replace(propensities=np.full(N, written)))
        assert any("the mean weight is" in note for note in notes) == said


def test_notes_find_wrong_propensities_and_missing_support(log):
    wrong = log._replace(propensities=np.full(N, 0.9))
    notes = notes_on(wrong)
    assert any("the mean weight is" in note for note in notes)
    partly = log._replace(propensities=np.where(np.arange(N) < 30, 1.0, log.propensities))
    notes = notes_on(partly)
    assert any("with probability 0.0667 it takes another action where" in note for note in notes)
    never = log._replace(action_names=(*log.action_names, "3"))
    notes = notes_on(never)
    assert any("with probability 0.25 it takes actions of no row: 3." in note for note in notes)


def test_a_deterministic_log_is_refused_but_for_its_own_policy_and_the_model(log):
    certain = log._replace(propensities=np.ones(N))
    with pytest.raises(InputError, match="policy `u` cannot be evaluated: every propensity"):
        evaluate(certain, {"u": uniform(log)})
    own = evaluate(certain, {"own": np.eye(K)[log.actions]}, ["ips"])
    assert own.rows[0].value == pytest.approx(log.rewards.mean())
    assert evaluate(certain, {"u": uniform(log)}, ["dm"]).rows[0].value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": ["mips"]}, "`estimators`: must be one of ips, snips, clipped_ips, dm, dr"),
        ({"estimators": []}, "needs a policy and an estimator"),
        ({"policies": {}}, "needs a policy and an estimator"),
        ({"policies": {"p": np.ones((N, 2))}}, "policy `p`: must be [300, 3]"),
        ({"interval": "wald"}, "`interval`: must be one of normal, bootstrap, empirical_bernstein"),
        ({"shift": "some"}, "`shift`: must be one of per_row, fixed, got 'some'."),
        ({"level": 1.0}, "`level` must be between 0 and 1, got 1.0."),
        ({"draws": 0}, "`draws` must be a whole number of at least 1, got 0."),
        ({"clip": 0.0}, "`clip` must be above 0, got 0.0."),
        ({"switch": -1.0}, "`switch` must be at least 0, got -1.0."),
        ({"folds": 1}, "`folds` must be a whole number of 2 to 300"),
        ({"budgets": np.ones((1, 1, 2, 2))}, "`budgets` must be [parts, 3, 2, 2]"),
        ({"folds": 301}, "`folds` must be a whole number of 2 to 300"),
        ({"log": make_log([[1.0]], [0], [1.0], [1.0])}, "must have at least 2 rows, got 1."),
    ],
)
def test_refusals(log, policies, options, message):
    with pytest.raises(InputError) as error:
        evaluate(**{"log": log, "policies": policies} | options)
    assert message in str(error.value)
