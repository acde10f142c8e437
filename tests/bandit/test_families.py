"""Regret of all policies in all cases, against a prototype in NumPy written apart from lpo."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lpo.bandit import Case, Settings, disjoint_family, simulate
from lpo.bandit.command.contest import nothing_known
from lpo.bandit.contenders import policy_named
from lpo.bandit.families import shift_of
from lpo.bandit.policy import Claim

LONG = True
SEEDS, HORIZON = 20, 4000
ONLINE = 514.0, 9.0

# Means of 20 seeds of its own at round 4000, and standard errors of those of `linucb` and
# `ellipsoidal`. As there: one ellipsoid around a product, and log 1 / delta in every width. Without
# what is the same by construction: `euclidean` where all budgets are, and what knows no budgets in
# FALSE_CERTIFICATE. In the first two cases, where regret is small and the log's luck is most of it,
# means of 20 seeds scatter by 7 to 12 %: the errors there are those of 160 seeds of ours, of which
# the first 20 are the luckiest eighth (all 160: 28.5, 28.6, 52.6, 28.5, 13.2; 55.4, 61.5, -, 32.1,
# 20.7).
TABLE = {
    Case.ZERO_SHIFT: {
        "pooled": (30.0, 2.1),
        "ellipsoidal": (31.0, 2.0),
        "precision": (63.0, 4.0),
        "naive": (30.0, 2.1),
        "offline_greedy": (13.0, 1.6),
    },
    Case.SMALL_SHIFT: {
        "pooled": (58.0, 3.6),
        "ellipsoidal": (66.0, 3.0),
        "precision": 513.0,
        "naive": (32.0, 2.3),
        "offline_greedy": (19.0, 2.5),
    },
    Case.ALIGNED: {
        "pooled": 374.0,
        "ellipsoidal": (185.0, 12.0),
        "precision": 175.0,
        "euclidean": 527.0,
        "naive": 257.0,
        "offline_greedy": 346.0,
    },
    Case.FULL_COVERAGE: {
        "pooled": 742.0,
        "ellipsoidal": (186.0, 11.0),
        "precision": 195.0,
        "euclidean": 531.0,
        "naive": 159.0,
        "offline_greedy": 347.0,
    },
    Case.MISALIGNED: {
        "pooled": 1488.0,
        "ellipsoidal": (433.0, 8.0),
        "precision": 516.0,
        "euclidean": 526.0,
        "naive": 459.0,
        "offline_greedy": 748.0,
    },
    Case.ADVERSARIAL: {
        "pooled": 1638.0,
        "ellipsoidal": (519.0, 9.0),
        "precision": 514.0,
        "naive": 2289.0,
        "offline_greedy": 2741.0,
    },
    Case.FALSE_CERTIFICATE: {
        "pooled": 2286.0,
        "ellipsoidal": 2069.0,
        "precision": 1905.0,
        "ellipsoidal_audit": 1291.0,
    },
}
VALID = [case for case in Case if case is not Case.FALSE_CERTIFICATE]


def played(case: Case, *names: str) -> dict[str, np.ndarray]:
    """Cumulative regret of each policy, [N, T]."""
    settings = Settings(horizon=float(HORIZON))
    given = {
        name: policy_named(name, claim=Claim.ELLIPSOID, union_split=False, settings=settings)
        for name in names
    }
    found = simulate(disjoint_family(case), given, HORIZON, range(SEEDS))
    return {name: np.cumsum(np.asarray(each.regret, float), 1) for name, each in found.items()}


@cache
def regret_of(case: Case) -> dict[str, np.ndarray]:
    return played(case, *TABLE[case])


@cache
def online() -> dict[str, np.ndarray]:
    """What does not use the log plays the same in all cases."""
    return played(Case.ALIGNED, "linucb", "lints")


def mean_and_error(sums: np.ndarray) -> tuple[float, float]:
    return sums.mean(), sums.std(ddof=1) / np.sqrt(len(sums))


def chance_of_more(paired: np.ndarray) -> float:
    """p-value of a mean above 0 of paired differences."""
    test: Any = stats.ttest_1samp(paired, 0.0, alternative="greater")
    return test.pvalue


def assert_as_printed(sums: np.ndarray, printed: tuple[float, float] | float) -> None:
    """Within four standard errors of the difference; where there is none, 15 %."""
    mean, error = mean_and_error(sums)
    if isinstance(printed, tuple):
        assert abs(mean - printed[0]) < 4 * np.hypot(error, printed[1])
    else:
        assert mean == pytest.approx(printed, rel=0.15)


@pytest.mark.parametrize("case", TABLE)
def test_regret_is_what_the_prototype_measured(case):
    for name, printed in TABLE[case].items():
        assert_as_printed(regret_of(case)[name][:, -1], printed)


def test_regret_without_a_log_is_what_the_prototype_measured():
    assert_as_printed(online()["linucb"][:, -1], ONLINE)
    assert_as_printed(online()["lints"][:, -1], 158.0)
    for rounds, ratio in {250: 1.1, 1000: 1.7, 4000: 2.8}.items():
        of = (
            online()["linucb"][:, rounds - 1],
            regret_of(Case.ALIGNED)["ellipsoidal"][:, rounds - 1],
        )
        mean, error = mean_and_error(of[0] / of[1])
        assert abs(mean - ratio) < max(0.15 * ratio, 4 * np.sqrt(2) * error)


def test_the_direction_of_a_bias_is_worth_more_than_its_size():
    regret = regret_of(Case.ALIGNED)
    less = regret["euclidean"][:, -1] - regret["ellipsoidal"][:, -1]
    assert chance_of_more(less) < 1e-6


@pytest.mark.parametrize("case", VALID)
def test_a_valid_certificate_costs_little(case):
    """Never a strict minimum: it is bounds that are the lower one of two, not regrets."""
    regret, linucb = regret_of(case), online()["linucb"][:, -1].mean()
    ellipsoidal = regret["ellipsoidal"][:, -1].mean()
    assert ellipsoidal <= 1.5 * min(linucb, regret["pooled"][:, -1].mean())
    if case is Case.ADVERSARIAL:
        assert ellipsoidal <= 1.1 * linucb


def test_a_certificate_that_says_nothing_costs_little():
    """Nothing but bounds on norms, of each block by itself: not LinUCB to the last arm."""
    environment = disjoint_family(Case.ALIGNED)
    environment = environment._replace(certificate=nothing_known(environment))
    given = {"": policy_named("ellipsoidal", union_split=False)}
    lost = np.asarray(simulate(environment, given, HORIZON, range(SEEDS))[""].regret, float).sum(1)
    linucb = online()["linucb"][:, -1]
    assert (lost != linucb).any() and lost.mean() <= 1.1 * linucb.mean()


def test_the_audit_limits_what_a_false_certificate_costs():
    regret = regret_of(Case.FALSE_CERTIFICATE)
    saved = regret["ellipsoidal"][:, -1] - regret["ellipsoidal_audit"][:, -1]
    assert chance_of_more(saved) < 1e-6
    assert regret["ellipsoidal_audit"][:, -1].mean() > 1.5 * online()["linucb"][:, -1].mean()


@pytest.mark.parametrize("case", VALID)
def test_a_valid_case_claims_what_it_moved(case):
    shift = shift_of(case, 8, 0.5)
    assert (np.where(shift.opposite, 1.0, shift.moved) <= shift.claimed + 1e-12).all()
