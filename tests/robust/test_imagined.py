"""Batches of imagined windows: shares, noise, the limits in which they are something simpler."""

from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo import diffusion, robust, workload
from tests import quick

DIM, COUNT = 4, 4000
SDE = diffusion.VPSDE()
GRID = diffusion.make_grid(SDE, steps=6, fine=3)
COEFS = diffusion.make_coefficients(SDE, GRID.times)
SCALER = workload.Scaler(mean=20.0, sd=3.0)  # far above zero, where demand is cut
TO_TOKENS = workload.linear_space(SCALER).to_tokens
KEY = jax.random.PRNGKey(3)


def eps(shift, x, t):
    """The exact noise prediction for standard normal windows, and a shift of it."""
    return jnp.sqrt(SDE.variance(t))[:, None] * x + shift


MODEL = diffusion.ScoreModel(lambda key: jnp.zeros(DIM), eps)
WINDOWS = jax.random.normal(jax.random.PRNGKey(1), (64, DIM))
NOMINAL = robust.Nominal(jnp.zeros(DIM), jax.tree.map(jnp.float32, COEFS), WINDOWS)


def loss(w, windows, key=None):
    """Newsvendor price of the capacity w in the last bin of each window."""
    gap = windows[:, -1] - w
    return jnp.maximum(10 * gap, -gap)


IMAGINATIONS = {
    "diffusion_augmentation": robust.nominal_imagination(MODEL, GRID, TO_TOKENS, DIM),
    "guided": robust.guided_imagination(
        robust.make_guide(
            MODEL, SDE, GRID, TO_TOKENS, DIM, loss, robust.GuidanceSettings(evaluations=2)
        )
    ),
    "dro_diffusion": robust.adversarial_imagination(
        robust.make_adversary(
            MODEL,
            SDE,
            GRID,
            TO_TOKENS,
            DIM,
            loss,
            robust.AdversarySettings(paths=16, draws=16, audit_draws=16, inner_steps=2),
        )
    ),
}


def constant(windows):
    """Imagines the same windows always."""
    return robust.Imagination(
        lambda key, nominal: (), lambda key, state, nominal, params, count: (state, windows, {})
    )


def data(real) -> robust.RobustData:
    return robust.RobustData(robust.Windows(real, real[:1]), NOMINAL)


def seen(params, windows, key=None) -> Any:
    """In place of a loss: the windows of a batch and the key."""
    return windows, key


def batch(imagined, real, **options):
    """A batch of COUNT rows and the key of its dropout."""
    inner = robust.mixed(constant(imagined), seen, batch=COUNT, **options)
    rows, dropout = quick.jit(inner.losses)(KEY, (), data(real), imagined)
    return np.asarray(rows), dropout


IDS = jnp.broadcast_to(jnp.arange(1.0, 6.0)[:, None], (5, DIM))


def test_rows_are_imagined_with_the_probability_of_the_mix_and_drawn_uniformly():
    rows, dropout = batch(100 + IDS, IDS, mix=0.3)
    imagined = rows[:, 0] > 100
    assert abs(imagined.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / COUNT)
    for part, offset in ((rows[imagined], 100), (rows[~imagined], 0)):
        assert np.all(part == part[:, :1])  # whole rows
        counts = np.bincount(part[:, 0].astype(int) - offset, minlength=6)[1:]
        mean = len(part) / 5
        assert np.abs(counts - mean).max() < 4 * np.sqrt(mean * 0.8)
    assert dropout is not None and not np.array_equal(dropout, KEY)


@pytest.mark.parametrize(("mix", "offset"), [(0.0, 0), (1.0, 100)])
def test_at_its_ends_the_mix_leaves_one_kind(mix, offset):
    rows, _ = batch(100 + IDS, IDS, mix=mix)
    assert set(np.unique(rows)) == set(offset + np.arange(1.0, 6.0))


def test_noise_smooths_imagined_rows_alone_and_is_cut_at_zero():
    rows, _ = batch(IDS[:1] + 99, IDS[:1] + 199, mix=0.5, noise=0.02)  # 100 imagined, 200 real
    imagined = rows[rows[:, 0] < 150]
    assert np.all(rows[rows[:, 0] > 150] == 200)
    error = 4 * 2 / np.sqrt(imagined.size)
    assert imagined.mean() == pytest.approx(100, abs=error)
    assert imagined.std() == pytest.approx(2, abs=error / np.sqrt(2))
    assert abs(np.corrcoef(imagined[:, 0], imagined[:, 1])[0, 1]) < 4 / np.sqrt(len(imagined))
    rows, _ = batch(IDS, IDS, mix=1.0, noise=5.0)  # in units of a row's own level
    below = NormalDist().cdf(-1 / 5)
    assert rows.min() == 0 and (rows == 0).mean() == pytest.approx(below, abs=0.03)


def test_windows_are_imagined_once_an_epoch_against_the_predictor_of_the_moment():
    def imagine(key, state, nominal, params, count):
        windows = jnp.full((count, DIM), params) + nominal.theta
        return state + 1, windows, {"worst_case_loss": params}

    inner = robust.mixed(
        robust.Imagination(lambda key, nominal: nominal.theta[0], imagine), loss, samples=7
    )
    state = inner.init(KEY, data(IDS))
    state, windows, metrics = inner.prepare(KEY, state, jnp.asarray(5.0), data(IDS))
    assert state == 1 and metrics == {"worst_case_loss": 5.0}
    assert windows.shape == (7, DIM) and np.all(windows == 5.0)


@pytest.mark.parametrize("name", IMAGINATIONS)
def test_without_imagined_windows_every_method_is_plain_training(name):
    """With mix 0; on one real window, where there is nothing to draw, DFL takes the same steps."""
    epochs, steps, one = 2, 3, jnp.full((1, DIM), 2.0)
    inner = robust.mixed(IMAGINATIONS[name], loss, samples=8, mix=0.0, batch=4)
    training = robust.outer_epochs(inner, loss, epochs=epochs, predictor_steps=steps)
    predictor: Any = SimpleNamespace(init=lambda key: jnp.asarray(1.0))
    plain = robust.empirical_risk(predictor, loss, steps=epochs * steps)

    @quick.jit
    def both(start, given):
        state = training.init(KEY, start, given)
        state, _ = jax.lax.scan(
            lambda state, key: training.update(key, state, given), state, jax.random.split(KEY)
        )
        reference, _ = jax.lax.scan(
            lambda state, key: plain.update(key, state, given.real),
            plain.init(KEY),
            jax.random.split(KEY, epochs * steps),
        )
        return state.predictor.params, reference.params

    found, expected = both(jnp.asarray(1.0), data(one))
    assert expected > 1.001 and found == pytest.approx(float(expected), abs=1e-6)


def test_nominal_windows_have_the_law_of_the_chain_and_know_no_predictor():
    """Every step of the exact model is linear, so its windows are normal, of known variance."""
    variance = 1.0
    for k in reversed(range(len(COEFS.t))):
        pull = 1 / COEFS.mean_ratio[k] - COEFS.eps_coef[k] * np.sqrt(SDE.variance(COEFS.t[k]))
        variance = pull**2 * variance + COEFS.sigma[k] ** 2
    imagination = IMAGINATIONS["diffusion_augmentation"]
    imagine = quick.jit(imagination.imagine, static_argnums=4)
    state, windows, metrics = imagine(KEY, (), NOMINAL, jnp.asarray(0.0), COUNT)
    assert windows.shape == (COUNT, DIM) and metrics == {} and state == ()
    sd = SCALER.sd * np.sqrt(variance)
    error = 4 * sd / np.sqrt(windows.size)  # bins of one window are independent here
    assert float(windows.mean()) == pytest.approx(SCALER.mean, abs=error)
    assert float(windows.std()) == pytest.approx(sd, abs=error / np.sqrt(2))
    assert np.array_equal(imagine(KEY, (), NOMINAL, jnp.asarray(9.0), COUNT)[1], windows)


def test_adversary_that_has_not_moved_imagines_the_nominal_windows():
    settings = robust.AdversarySettings()
    adversary = robust.make_adversary(MODEL, SDE, GRID, TO_TOKENS, DIM, loss, settings)
    imagine = IMAGINATIONS["diffusion_augmentation"].imagine

    @quick.jit
    def both(key):
        _, nominal, _ = imagine(key, (), NOMINAL, (), 100)
        return adversary.sample(key, NOMINAL.theta, NOMINAL, 100), nominal

    np.testing.assert_allclose(*both(KEY), rtol=1e-6)
