"""Derivatives of a query's moments, against closed forms."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, special, stats

from lpo.errors import InputError
from lpo.scale.laws import make_laws
from lpo.scale.models import Models
from lpo.scale.passes import make_pairs
from lpo.scale.sensitivity import Sensitivities, slopes

K, P = np.array([1, 2, 3, 5, 6, 8, 9, 16, 64]), 4
PLAIN = Models(*(np.array([x]) for x in (0.5, 0.02, 1e3, 60.0, 2e3, 90.0, 1e-6, 4e-6, 2e-4, 3e-3)))


@pytest.fixture(scope="module")
def found(reference_models) -> Sensitivities:
    """The nine models, with another number of passes each."""
    laws, numbers = make_laws()
    return slopes(laws, numbers, reference_models.models, K, P)


def test_cost_in_lengths_and_prices(reference_models, found):
    given, slope = reference_models.models, found.slopes.cost.models
    np.testing.assert_allclose(slope.input_price, K * given.prompt, rtol=1e-12)
    np.testing.assert_allclose(slope.output_price, K * given.output, rtol=1e-12)
    np.testing.assert_allclose(slope.prompt, K * given.input_price, rtol=1e-12)
    np.testing.assert_allclose(slope.output, K * given.output_price, rtol=1e-12)
    for name in ("accuracy", "accuracy_sd", "input_s", "output_s"):
        assert (getattr(slope, name) == 0.0).all()
    spread = np.hypot(given.input_price * given.prompt_sd, given.output_price * given.output_sd)
    np.testing.assert_allclose(found.values.cost_sd, np.sqrt(K) * spread, rtol=1e-12)
    np.testing.assert_allclose(
        found.slopes.cost_sd.models.output_sd,
        np.sqrt(K) * given.output_price**2 * given.output_sd / spread,
        rtol=1e-12,
    )


def test_time_in_lengths_and_speeds(reference_models, found, order_statistic):
    """Without clips a wave is tbar + s m_n, s^2 = (t_in sd_in)^2 + (t_out sd_out)^2."""
    given = reference_models.models
    parts = given.input_s * given.prompt_sd, given.output_s * given.output_sd
    spread = np.hypot(*parts)
    longest = np.array([k // P * order_statistic(P)[0] + order_statistic(k % P)[0] for k in K])
    waves = np.ceil(K / P)
    slope = found.slopes.time.models
    np.testing.assert_allclose(slope.output, waves * given.output_s, rtol=1e-9)
    np.testing.assert_allclose(
        slope.output_sd, longest * parts[1] / spread * given.output_s, rtol=1e-8, atol=1e-14
    )
    np.testing.assert_allclose(
        slope.input_s, waves * given.prompt + longest * parts[0] / spread * given.prompt_sd, 1e-9
    )


def test_accuracy_in_the_mean_and_spread_of_a_score(reference_models, found):
    """dE/dmu = F(1)^k - F(0)^k and dE/dsigma = int k F^(k-1) phi(z) z / sigma dx."""
    given = reference_models.models
    slope = found.slopes.accuracy.models
    for mean, sd, k, first, second in zip(
        given.accuracy, given.accuracy_sd, K, slope.accuracy, slope.accuracy_sd, strict=True
    ):
        law: Any = stats.norm(mean, sd)

        def inside(x, k=k, law=law, mean=mean):
            return k * law.cdf(x) ** (k - 1) * law.pdf(x) * (x - mean)

        points = np.clip(mean + sd * np.arange(-9.0, 10.0), 0.0, 1.0)
        pieces = [integrate.quad(inside, *ends, epsabs=1e-14)[0] for ends in pairwise(points)]
        assert first == pytest.approx(law.cdf(1.0) ** k - law.cdf(0.0) ** k, rel=1e-9)
        assert second == pytest.approx(sum(pieces) / sd, rel=1e-7, abs=1e-9)


def test_elasticities(reference_models, found):
    """Homogeneous of degree 1: prices in cost, speeds in time, all lengths in both."""
    cost, time = found.elasticities.cost.models, found.elasticities.time.models
    np.testing.assert_allclose(cost.input_price + cost.output_price, 1.0, rtol=1e-12)
    np.testing.assert_allclose(time.input_s + time.output_s, 1.0, rtol=1e-9)
    lengths = time.prompt + time.prompt_sd + time.output + time.output_sd
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-9)
    np.testing.assert_allclose(
        found.elasticities.accuracy.models.accuracy,
        found.slopes.accuracy.models.accuracy
        * reference_models.models.accuracy
        / found.values.accuracy,
        rtol=1e-15,
    )
    assert np.isnan(found.slopes.accuracy.numbers.correlation).all()
    assert (found.slopes.time.numbers.correlation == 0.0).all()
    assert (found.slopes.time.numbers.contention == 0.0).all()


def test_numbers_of_the_laws(order_statistic):
    """Without clips: A = mu + s^2 / sqrt(s^2 + tau^2) m_k, s^2 = sigma^2 (1 - correlation), and a
    wave of n passes takes 1 + contention (n - 1) times as long."""
    correlation, tau, contention, k = 0.3, 0.03, 0.1, 6
    laws, numbers = make_laws(
        latency="contended",
        rule="verifier",
        correlation=correlation,
        verifier_sd=tau,
        contention=contention,
    )
    found = slopes(laws, numbers, PLAIN, k, P)
    m = order_statistic(k)[0]
    own, both = 0.02**2 * (1.0 - correlation), 0.02**2 * (1.0 - correlation) + tau**2
    in_own = m * (both**-0.5 - 0.5 * own * both**-1.5)
    slope = found.slopes.accuracy
    assert found.values.accuracy[0] == pytest.approx(0.5 + own * both**-0.5 * m, rel=1e-9)
    assert slope.numbers.verifier_sd[0] == pytest.approx(-own * tau * both**-1.5 * m, rel=1e-7)
    assert slope.numbers.correlation[0] == pytest.approx(-(0.02**2) * in_own, rel=1e-6)
    assert slope.models.accuracy_sd[0] == pytest.approx(0.04 * 0.7 * in_own, rel=1e-6)
    spread = np.hypot(2e-4 * 60.0, 3e-3 * 90.0)
    waves = {n: 6.2 + spread * order_statistic(n)[0] for n in (4, 2)}
    expected = 3.0 * waves[4] + 1.0 * waves[2]
    assert found.slopes.time.numbers.contention[0] == pytest.approx(expected, rel=1e-9)


def test_votes():
    """dP/dp of an odd number of votes is k C(k-1, (k-1)/2) (p (1 - p))^((k-1)/2)."""
    laws, numbers = make_laws(rule="majority", latency="mean")
    right, k = np.array([0.6, 0.8, 0.0]), np.array([7, 11, 5])
    models = Models(right, *(np.repeat(leaf, 3) for leaf in PLAIN[1:]))
    found = slopes(laws, numbers, models, k, P)
    half = (k - 1) // 2
    expected = k * special.comb(k - 1, half) * (right * (1.0 - right)) ** half
    np.testing.assert_allclose(found.slopes.accuracy.models.accuracy, expected, atol=1e-12)
    assert (found.slopes.accuracy.models.accuracy_sd == 0.0).all()
    assert np.isnan(found.elasticities.accuracy.models.accuracy[2])  # of a value of 0
    np.testing.assert_allclose(found.slopes.time.models.output_s, k / P * 2e3, rtol=1e-12)


def test_weights_and_pairs():
    """Of two votes, one right: it wins with P(Beta(right, wrong) > 1/2). Observed lengths stand in
    place of those of the model."""
    laws, numbers = make_laws(rule="weighted", latency="mean", right_weight=2.5, wrong_weight=1.5)
    models = PLAIN._replace(accuracy=np.array([0.7]))
    found = slopes(laws, numbers, models, 2, 1, make_pairs([10.0, 30.0], [100.0, 50.0], [1, 3]))

    def wins(right: float, wrong: float) -> float:
        return 0.7**2 + 2.0 * 0.7 * 0.3 * float(stats.beta.sf(0.5, right, wrong))

    h = 1e-5
    in_right = (wins(2.5 + h, 1.5) - wins(2.5 - h, 1.5)) / (2.0 * h)
    in_wrong = (wins(2.5, 1.5 + h) - wins(2.5, 1.5 - h)) / (2.0 * h)
    slope = found.slopes.accuracy.numbers
    assert slope.right_weight[0] == pytest.approx(in_right, rel=1e-6)
    assert slope.wrong_weight[0] == pytest.approx(in_wrong, rel=1e-6)
    assert found.slopes.cost.models.input_price[0] == pytest.approx(2 * 25.0)
    assert found.slopes.time.models.output_s[0] == pytest.approx(2 * 62.5)
    assert found.slopes.time.models.output[0] == 0.0


def test_numbers_that_do_not_vary(found, reference_models):
    """At a spread of 0 everything is finite: a corner, with one side."""
    laws, numbers = make_laws()
    still = reference_models.models._replace(
        **{name: np.zeros(9) for name in ("accuracy_sd", "prompt_sd", "output_sd")}
    )
    at_rest = slopes(laws, numbers, still, K, P)
    np.testing.assert_allclose(at_rest.values.accuracy, still.accuracy, rtol=1e-8)
    np.testing.assert_allclose(at_rest.slopes.accuracy.models.accuracy, 1.0, rtol=1e-8)
    for each in at_rest.slopes:
        assert all(np.isfinite(leaf).all() for leaf in each.models)


@pytest.mark.parametrize(
    ("k", "parallel", "words"),
    [(0, 4, "`k`"), (2.5, 4, "`k`"), ([1, 2], 4, "one a model"), (2, [4], "`parallel`")],
)
def test_refused(reference_models, k, parallel, words):
    laws, numbers = make_laws()
    with pytest.raises(InputError, match=words):
        slopes(laws, numbers, reference_models.models, k, parallel)


def test_what_has_no_closed_form_is_refused(reference_models):
    laws, numbers = make_laws(latency="work_conserving")
    with pytest.raises(InputError, match="work_conserving"):
        slopes(laws, numbers, reference_models.models, 2, 4)
