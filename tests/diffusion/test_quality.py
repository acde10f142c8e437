import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from lpo.diffusion.quality import (
    assess,
    frechet_distance,
    minmax_wasserstein1,
    sliced_wasserstein,
    two_sample_auc,
    wasserstein1,
    window_features,
    window_frechet,
)
from lpo.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_features_of_a_known_window():
    x = np.array([1.0, 2.0, 4.0, 3.0, 0.0, 2.0, 1.0, 3.0])
    features = window_features(np.stack([x, 5.0 + 0.0 * x]))
    centred = x - 2.0
    lagged = [np.dot(centred[k:], centred[:-k]) / np.dot(centred, centred) for k in range(1, 7)]
    expected = [2.0, x.std(), *lagged, 4.0, 0.0, np.abs(np.diff(x)).mean()]
    np.testing.assert_allclose(features[0], expected)
    np.testing.assert_allclose(features[1], [5.0, 0, 0, 0, 0, 0, 0, 0, 5.0, 5.0, 0.0])


def test_features_find_the_autocorrelation_of_an_ar1_series(rng):
    rho, x = 0.8, np.zeros((200, 2000))
    shock = rng.standard_normal(x.shape)
    for t in range(1, x.shape[1]):
        x[:, t] = rho * x[:, t - 1] + shock[:, t]
    np.testing.assert_allclose(
        window_features(x)[:, 2:8].mean(axis=0), rho ** np.arange(1, 7), atol=0.02
    )


def test_frechet_distance_of_samples_with_known_moments(rng):
    """Commuting covariances: sum of (sd_a - sd_b)^2 and the squared shift; moments made exact."""
    white = rng.standard_normal((500, 3))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    a = white * [1.0, 2.0, 0.0] @ turn.T
    b = (white * [3.0, 2.5, 1.0] + [0.0, 1.0, -2.0]) @ turn.T
    assert frechet_distance(a, b) == pytest.approx(4.0 + 0.25 + 1.0 + 5.0, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-6)


def test_frechet_distance_in_one_dimension(rng):
    a, b = rng.standard_normal((400, 1)), 1.0 + 2.0 * rng.standard_normal((300, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected)


def test_window_frechet_does_not_depend_on_the_unit(rng):
    a, b = rng.standard_normal((300, 12)), 1.3 * rng.standard_normal((200, 12)) + 0.5
    assert window_frechet(1000 * a, 1000 * b) == pytest.approx(window_frechet(a, b), rel=1e-6)
    assert window_frechet(a, b) > 10 * window_frechet(a, rng.standard_normal((300, 12)))


def test_wasserstein1_against_scipy_for_unequal_sizes(rng):
    a, b = rng.standard_normal((37, 4)), 0.3 + 1.5 * rng.standard_normal((53, 4))
    assert wasserstein1(a, b) == pytest.approx(wasserstein_distance(a.ravel(), b.ravel()))
    assert wasserstein1(a, a + 0.7) == pytest.approx(0.7)


def test_minmax_wasserstein1_is_blind_to_level_and_amplitude(rng):
    a = rng.standard_normal((50, 8))
    assert minmax_wasserstein1(a, 100.0 + 7.0 * a) == pytest.approx(0.0, abs=1e-12)
    assert minmax_wasserstein1(a, a**3) > 0.01
    with pytest.raises(InputError, match="`b`"):
        minmax_wasserstein1(a, np.ones((5, 8)))


def test_sliced_wasserstein_of_a_shift(rng):
    """Every projection shifts by <u, v>: mean |v| E|u_1|, and exactly |v| where N = 1."""
    a = rng.standard_normal((200, 1))
    assert sliced_wasserstein(a, a + 0.4) == pytest.approx(0.4)
    a, shift = rng.standard_normal((200, 3)), np.array([0.0, 3.0, 4.0])
    # E|u_1| = 1/2 and sd 1/sqrt(12) on the unit sphere of R^3 (Archimedes)
    value = sliced_wasserstein(a, a + shift, directions=2000)
    assert abs(value - 2.5) < 4 * 5 / np.sqrt(12 * 2000)


def test_auc_is_half_for_one_law_and_one_for_two_far_ones(rng):
    n = 300
    a, b = rng.standard_normal((2, n, 10))
    chance = np.sqrt((2 * n + 1) / (12 * n * n))  # sd of the AUC of a useless score
    assert abs(two_sample_auc(a, b) - 0.5) < 4 * chance
    assert two_sample_auc(a, b + 3.0) > 0.99
    smooth = np.cumsum(b, axis=1) / np.sqrt(np.arange(1, 11))  # same marginals, another dependence
    assert two_sample_auc(a, smooth) > 0.9


def test_assess_collects_and_is_repeatable(rng):
    a, b = rng.standard_normal((100, 8)), 0.2 + rng.standard_normal((80, 8))
    quality = assess(a, b)
    assert quality == assess(a, b)
    assert quality.wasserstein1 == wasserstein1(a, b)
    assert quality.two_sample_auc == two_sample_auc(a, b)


def test_windows_that_cannot_be_measured_are_refused():
    with pytest.raises(InputError, match="more than 6"):
        window_features(np.zeros((4, 6)))
    with pytest.raises(InputError, match="finite"):
        frechet_distance(np.full((4, 2), np.nan), np.zeros((4, 2)))
    with pytest.raises(InputError, match="shape"):
        sliced_wasserstein(np.zeros(4), np.zeros((4, 2)))
