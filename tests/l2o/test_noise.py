"""Noise levels and the scaling of denoisers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.noise import (
    Noise,
    check_noise,
    drawn_level,
    from_normal,
    levels,
    normaliser_of,
    out,
    skip,
    to_normal,
)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_levels_fall_from_the_most_through_the_least_to_nothing(steps):
    found = levels(Noise(0.01, 3.0, 5.0), steps)
    assert len(found) == steps + 1 and found[0] == pytest.approx(3.0) and found[-1] == 0.0
    assert (np.diff(found) < 0).all()
    if steps > 1:
        assert found[-2] == pytest.approx(0.01)
        np.testing.assert_allclose(np.diff(found[:-1] ** 0.2, 2), 0.0, atol=1e-6)  # equal in roots


def test_scales_are_those_of_the_best_linear_guess():
    """E[z | z + sigma eps] of standard normal z, and its error, by 1e6 draws."""
    rng = np.random.default_rng(0)
    z, eps = rng.normal(size=(2, 10**6))
    for sigma in (0.1, 1.0, 3.0):
        noisy = z + sigma * eps
        share = float(skip(jnp.float32(sigma)))
        assert (z @ noisy) / (noisy @ noisy) == pytest.approx(share, abs=5e-3)
        left = (z - share * noisy).std()
        assert left == pytest.approx(float(out(jnp.float32(sigma))), rel=5e-3)


def test_levels_of_training_are_log_uniform():
    noise = Noise(0.01, 1.0)
    drawn = jax.vmap(lambda key: drawn_level(noise, key))(jax.random.split(jax.random.key(0), 4000))
    share = np.log10(np.asarray(drawn) / 0.01) / 2.0
    assert share.min() >= 0.0 and share.max() <= 1.0
    grid = np.linspace(0.0, 1.0, 101)
    below = (share[:, None] <= grid).mean(0)
    assert np.abs(below - grid).max() < 1.63 / np.sqrt(4000)  # Kolmogorov, 1 %


def test_coordinates_that_never_move_stay_finite():
    x = jnp.asarray([[1.0, 5.0], [3.0, 5.0]])
    normaliser = normaliser_of(x)
    z = to_normal(normaliser, x)
    np.testing.assert_allclose(z[:, 0], [-1.0, 1.0], rtol=1e-6)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(from_normal(normaliser, z), x, rtol=1e-6)


@pytest.mark.parametrize("noise", [Noise(0.0, 1.0), Noise(2.0, 1.0), Noise(0.1, 1.0, 0.5)])
def test_levels_without_meaning_are_refused(noise):
    with pytest.raises(InputError):
        check_noise(noise)


def test_no_steps_are_refused():
    with pytest.raises(InputError, match="`steps` must be a whole number of at least 1, got 0"):
        levels(Noise(), 0)
