"""The same numbers under three laws of a score."""

import numpy as np
import pytest
from scipy import integrate, stats

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.exact import exact_curves
from lpo.scale.laws import AccuracyLaw, make_laws
from lpo.scale.models import Models
from lpo.scale.select import Options, allowed_grid, feasible_by_mean, points_of, select
from lpo.scale.sensitivity import score_laws

MODELS = Models(
    np.array([0.9, 0.85]),
    np.array([0.05, 0.1]),
    *(np.array([x, x]) for x in (1e3, 10.0, 2e3, 20.0, 1e-6, 4e-6, 1e-4, 1e-3)),
)
K, P = np.array([1, 2, 4, 8]), np.array([1, 8])
LIMITS = Limits(np.array([1.0]), np.array([18.0]), np.array([0.5]))


@pytest.fixture(scope="module")
def curves():
    laws, numbers = make_laws(latency="mean")
    return exact_curves(laws, numbers, MODELS, K, P)


def distributions(mean: float, sd: float) -> dict:
    both = mean * (1.0 - mean) / sd**2 - 1.0
    return {
        AccuracyLaw.CLIPPED_NORMAL: stats.norm(mean, sd),
        AccuracyLaw.TRUNCATED_NORMAL: stats.truncnorm(-mean / sd, (1.0 - mean) / sd, mean, sd),
        AccuracyLaw.BETA: stats.beta(mean * both, (1.0 - mean) * both),
    }


def test_accuracy_and_choice_under_each_law(curves):
    laws, numbers = make_laws(latency="mean")
    allowed = allowed_grid(K, P)
    found = score_laws(Options(), laws, numbers, MODELS, curves, LIMITS, allowed)
    assert found.laws == tuple(AccuracyLaw)
    for m, (mean, sd) in enumerate(zip(MODELS.accuracy, MODELS.accuracy_sd, strict=True)):
        for i, kind in enumerate(found.laws):
            law = distributions(mean, sd)[kind]
            for j, k in enumerate(K):
                best = integrate.quad(lambda x, k=k, law=law: 1.0 - law.cdf(x) ** k, 0.0, 1.0)[0]
                assert found.accuracy[i, m, j] == pytest.approx(best, abs=1e-7)
    # a Beta distribution has the mean and the spread of the record, the others only about
    np.testing.assert_allclose(found.accuracy[2, :, 0], MODELS.accuracy, rtol=1e-9)
    np.testing.assert_allclose(found.accuracy_sd[2, :, 0], MODELS.accuracy_sd, rtol=1e-6)
    feasible = feasible_by_mean(curves, LIMITS, allowed)
    expected = select(Options(), points_of(curves), feasible, LIMITS, k=K)
    for place, one in enumerate(expected):
        k = np.where(one.at < 0, -1, K[one.at])
        np.testing.assert_array_equal(found.each.k[0, ..., place], k)
    # more is better under every law: the most passes that there is time for, 2.1 s each
    assert (found.each.k[..., 0, 0] == 8).all()
    assert found.each.k.shape == (3, 1, 2, 2, 5)
    assert found.among_all.k.shape == (3, 1, 5)


def test_votes_have_no_scores(curves):
    laws, numbers = make_laws(rule="majority")
    with pytest.raises(InputError, match="`rule` must be one that has scores, got majority"):
        score_laws(Options(), laws, numbers, MODELS, curves, LIMITS, np.ones((2, 4), bool))
