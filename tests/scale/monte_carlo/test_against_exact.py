"""Simulated curves within four standard errors of exact ones, for nine models at once."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy import integrate, special, stats

from lpo.scale.exact import exact_curves
from lpo.scale.laws import LawNumbers, Laws, make_laws
from lpo.scale.monte_carlo import simulate
from lpo.scale.passes import make_pairs

KEY = jax.random.key(11)
TRIALS = 8000


@pytest.fixture(scope="module")
def models(reference_models):
    return reference_models.models


@pytest.fixture(scope="module")
def harder(models):
    return models._replace(accuracy=models.accuracy - 0.3, accuracy_sd=2.0 * models.accuracy_sd)


def simulated(laws: tuple[Laws, LawNumbers], given, k, parallel: Any, trials=TRIALS, pairs=None):
    return simulate(KEY, *laws, given, k, parallel, trials=trials, percentiles=False, pairs=pairs)


def near(estimate, exact, sd: Any = 0.0):
    """Within four standard errors, or the rounding of float32 where nothing varies.

    sd: exact, where simulated queries may all have missed a rare event.
    """
    error = np.maximum(estimate.sem, sd / np.sqrt(TRIALS))
    return bool((np.abs(estimate.mean - exact) <= 4.0 * error + 3e-7 * exact).all())


def expected_best(n):
    """E of the largest of n standard normal numbers."""
    law = stats.norm
    return integrate.quad(lambda z: n * z * law.pdf(z) * law.cdf(z) ** (n - 1), -10, 10)[0]


def test_best_of_k_in_waves(models):
    """The integral of 1 - F^k with its clips, and normal times (arXiv 2510.18905)."""
    k = np.array([1, 4, 16, 64])
    ours = simulated(make_laws(), models, k, [4], trials=20_000)
    m = models
    price = m.input_price * m.prompt + m.output_price * m.output
    assert near(ours.cost, (price[:, None] * k)[:, None])
    seconds = m.input_s * m.prompt + m.output_s * m.output
    wave = seconds + np.hypot(m.input_s * m.prompt_sd, m.output_s * m.output_sd) * expected_best(4)
    assert near(ours.time, np.stack([seconds, wave, 4 * wave, 16 * wave], 1)[:, None])

    def best(mean, sd, k):
        def above(x):
            return -np.expm1(k * special.log_ndtr((x - mean) / sd))

        return integrate.quad(above, 0, 1, points=[mean])[0]

    exact = [[best(*one, n) for n in k] for one in zip(m.accuracy, m.accuracy_sd, strict=True)]
    assert near(ours.accuracy, np.array(exact)[:, None])


def test_a_verifier_in_contended_waves(models):
    """Far from the clips: mean + sd m_k / sqrt(1 + (noise / sd)^2)."""
    middle = models._replace(accuracy=0.5 + 0.0 * models.accuracy)
    k = np.array([1, 3, 8])
    laws = make_laws(rule="verifier", verifier_sd=0.05, latency="contended", contention=0.3)
    ours = simulated(laws, middle, k, [3])
    best = np.array([expected_best(n) for n in (1, 3, 8)])
    gain = middle.accuracy_sd / np.sqrt(1.0 + (0.05 / middle.accuracy_sd) ** 2)
    assert near(ours.accuracy, (0.5 + gain[:, None] * best)[:, None])
    m = models
    seconds = (m.input_s * m.prompt + m.output_s * m.output)[:, None]
    spread = np.hypot(m.input_s * m.prompt_sd, m.output_s * m.output_sd)[:, None]
    two, three = (seconds + spread * expected_best(n) for n in (2, 3))
    exact = np.concatenate([seconds, 1.6 * three, 3.2 * three + 1.3 * two], 1)
    assert near(ours.time, exact[:, None])


def test_any_right_answer_where_queries_differ(harder):
    """1 - B(a, b + k) / B(a, b)."""
    k = np.array([1, 3, 8])
    ours = simulated(make_laws(rule="pass_at_k", varied=True), harder, k, [3])
    mean, sd = harder.accuracy[:, None], harder.accuracy_sd[:, None]
    both = mean * (1.0 - mean) / sd**2 - 1.0
    a, b = mean * both, (1.0 - mean) * both
    exact = -np.expm1(special.betaln(a, b + k) - special.betaln(a, b))[:, None]
    assert near(ours.accuracy, exact, np.sqrt(exact * (1.0 - exact)))


@pytest.mark.parametrize(
    "given",
    [
        {"latency": "mean", "accuracy": "beta", "correlation": 0.4},
        {"rule": "majority", "wrong_answers": 3},
        {"rule": "weighted", "correlation": 0.3, "right_weight": 0.8, "wrong_weight": 1.3},
    ],
    ids=lambda given: "-".join(str(value) for value in given.values()),
)
def test_other_laws_against_exact_curves(harder, given):
    laws = make_laws(**given)
    k = np.array([1, 4, 7, 16])
    ours, exact = simulated(laws, harder, k, [3]), exact_curves(*laws, harder, k, [3])
    for one, other in zip(ours[2:5], exact[2:5], strict=True):
        assert near(one, other.mean, other.sd)
    for one, other in ((ours.cost, exact.cost), (ours.time, exact.time)):
        np.testing.assert_allclose(one.sd, other.sd, rtol=4.0 / np.sqrt(2 * TRIALS))
    assert (ours.accuracy.mean > 0.3).all() and (ours.accuracy.mean < 1.0).all()


def test_pairs_against_exact_curves(models):
    rng = np.random.default_rng(0)
    pairs = make_pairs(rng.lognormal(6, 1, 300), rng.lognormal(5, 1.2, 300), rng.random(300))
    k = np.array([1, 4, 7, 16])
    ours = simulated(make_laws(), models, k, [3], pairs=pairs)
    exact = exact_curves(*make_laws(), models, k, [3], pairs)
    assert near(ours.cost, exact.cost.mean) and near(ours.time, exact.time.mean)
