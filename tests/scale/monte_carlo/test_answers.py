"""What answers are worth against counting them in Python, query by query."""

from fractions import Fraction

import jax
import numpy as np
import pytest
from scipy import stats

from lpo.scale.laws import Laws, make_laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo import query_paths
from lpo.scale.monte_carlo.draws import draw
from tests.quick import jit

K, M = 12, 40
MEAN, SD = np.array([0.55, 0.8, 0.93]), np.array([0.2, 0.15, 0.05])
KEY = jax.random.key(5)
drawn = jit(draw, static_argnums=(1, 3, 5))


@pytest.fixture(scope="module")
def models():
    one = np.ones(3)
    return Models(MEAN, SD, 100 * one, 5 * one, 50 * one, 5 * one, one, one, one, one)


def simulated(models, **laws):
    """Accuracy [m, M, K] of our paths, and the draws that they come from, float64."""
    given = make_laws(**laws)
    paths = query_paths(KEY, *given, models, K, 4, M)
    # the same for all laws of a rule
    rule = Laws(rule=given[0].rule, wrong_answers=given[0].wrong_answers)
    with jax.enable_x64(True):
        draws = drawn(KEY, rule, given[1], K, 0, 1)
    return paths.accuracy, jax.tree.map(lambda leaf: np.asarray(leaf, float)[..., :M], draws)


def latent(draws, correlation=0.0):
    shared = np.sqrt(correlation) * draws.common
    return shared + np.sqrt(1.0 - correlation) * draws.latent


def score(law, y, m):
    """Of latent numbers, by SciPy's quantiles."""
    mean, sd = MEAN[m], SD[m]
    if law == "clipped_normal":
        return np.clip(mean + sd * y, 0.0, 1.0)
    if law == "truncated_normal":
        ends = (0.0 - mean) / sd, (1.0 - mean) / sd
        return stats.truncnorm.ppf(stats.norm.cdf(y), *ends, mean, sd)
    both = mean * (1.0 - mean) / sd**2 - 1.0
    return stats.beta.ppf(stats.norm.cdf(y), mean * both, (1.0 - mean) * both)


@pytest.mark.parametrize("law", ["clipped_normal", "truncated_normal", "beta"])
def test_the_best_score_so_far(models, law):
    ours, draws = simulated(models, accuracy=law)
    for m in range(3):
        expected = np.maximum.accumulate(score(law, draws.latent, m))
        np.testing.assert_allclose(ours[m].T, expected, atol=3e-6)


def test_scores_of_correlated_passes_share_a_factor(models):
    ours, draws = simulated(models, correlation=0.6)
    for m in range(3):
        expected = np.maximum.accumulate(score("clipped_normal", latent(draws, 0.6), m))
        np.testing.assert_allclose(ours[m].T, expected, atol=1e-6)


def test_a_verifier_takes_the_pass_that_it_likes_best(models):
    ours, draws = simulated(models, rule="verifier", verifier_sd=0.1)
    for m in range(3):
        scores = score("clipped_normal", draws.latent, m)
        seen = scores + 0.1 * draws.noise
        for k in range(1, K + 1):
            best = seen[:k].argmax(0)
            np.testing.assert_allclose(ours[m, :, k - 1], scores[best, range(M)], atol=1e-6)


@pytest.mark.parametrize("wrong", [1, 3])
def test_a_majority_is_counted_and_ties_are_shared(models, wrong):
    ours, draws = simulated(models, rule="majority", wrong_answers=wrong)
    which = np.zeros((K, M), int)
    if wrong > 1:
        which = np.minimum((stats.norm.cdf(draws.noise) * wrong).astype(int), wrong - 1)
    tied = 0
    for m in range(3):
        right = stats.norm.cdf(draws.latent) > 1.0 - MEAN[m]
        for n in range(M):
            votes = [-1 if r else w for r, w in zip(right[:, n], which[:, n], strict=True)]
            for k in range(1, K + 1):
                counts = {answer: votes[:k].count(answer) for answer in set(votes[:k])}
                most = max(counts.values())
                first = [answer for answer, count in counts.items() if count == most]
                worth = Fraction(1, len(first)) if -1 in first else 0
                tied += len(first) > 1 and -1 in first
                assert ours[m, n, k - 1] == pytest.approx(float(worth), abs=1e-7)
    assert tied > 10


def test_votes_with_weights(models):
    given = {"rule": "weighted", "right_weight": 1.5, "wrong_weight": 0.6}
    ours, draws = simulated(models, **given)
    weights = np.exp(draws.votes)
    for m in range(3):
        right = stats.norm.cdf(draws.latent) > 1.0 - MEAN[m]
        ahead = np.where(right, weights[:, 0], 0.0).cumsum(0)
        behind = np.where(right, 0.0, weights[:, 1]).cumsum(0)
        np.testing.assert_array_equal(ours[m].T, ahead > behind)


def test_the_weight_of_a_vote_is_gamma_distributed():
    """Also shapes whose weights are too small for float32."""
    laws, numbers = make_laws(rule="weighted", right_weight=2.0, wrong_weight=0.02)
    with jax.enable_x64(True):
        draws = drawn(KEY, laws, numbers, K, 0, 2)
    for which, shape in enumerate((2.0, 0.02)):
        logs = np.asarray(draws.votes, float)[:, which].ravel()
        assert np.isfinite(logs).all()
        assert stats.kstest(logs, stats.loggamma(shape).cdf).pvalue > 1e-3


def test_any_right_answer(models):
    ours, draws = simulated(models, rule="pass_at_k")
    for m in range(3):
        right = stats.norm.cdf(draws.latent) > 1.0 - MEAN[m]
        np.testing.assert_array_equal(ours[m].T, np.logical_or.accumulate(right))


def test_any_right_answer_where_queries_differ(models):
    ours, draws = simulated(models, rule="pass_at_k", varied=True)
    for m in range(3):
        probability = score("beta", draws.common, m)
        right = stats.norm.cdf(draws.latent) > 1.0 - probability
        np.testing.assert_array_equal(ours[m].T, np.logical_or.accumulate(right))


@pytest.mark.parametrize("rule", ["majority", "pass_at_k", "weighted"])
def test_passes_that_are_always_right_or_never(models, rule):
    certain = models._replace(accuracy=np.array([0.0, 1.0, 1.0]))
    ours, _ = simulated(certain, rule=rule)
    assert (ours[0] == 0.0).all() and (ours[1:] == 1.0).all()
