"""Augmentations against the laws they are drawn from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.robust.augmentation import (
    augmented,
    cutout_block,
    cutout_points,
    gaussian,
    perlin,
    scale_trend,
)
from lpo.robust.empirical import Windows
from lpo.robust.outer import RobustData

KEY = jax.random.PRNGKey(0)
LARGEST = 4_000.0
BINS, WINDOW = 500, 40
ROWS = jnp.asarray(np.random.default_rng(0).uniform(1_000, 2_000, (2_000, WINDOW)), jnp.float32)


def run(corrupt, rows, key=KEY):
    return np.asarray(jax.jit(corrupt)(key, rows))


CORRUPTIONS = {
    "gaussian": gaussian(LARGEST),
    "cutout_points": cutout_points(),
    "cutout_block": cutout_block(LARGEST),
    "perlin": perlin(LARGEST, BINS, np.random.default_rng(1), paths=8),
    "scale_trend": scale_trend(),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corruption_keeps_shape_and_sign_and_depends_on_its_key_alone(corrupt):
    empty = jnp.zeros_like(ROWS)  # where noise would be negative
    for rows in (ROWS, empty):
        first, again = run(corrupt, rows), run(corrupt, rows)
        assert first.shape == rows.shape and first.dtype == rows.dtype and np.all(first >= 0)
        np.testing.assert_array_equal(first, again)
    assert np.any(run(corrupt, ROWS, jax.random.PRNGKey(1)) != run(corrupt, ROWS))


def test_gaussian_has_its_deviation_where_nothing_is_cut():
    noise = run(CORRUPTIONS["gaussian"], ROWS) - np.asarray(ROWS)
    sd = 0.05 * LARGEST  # the least demand is five of them
    assert abs(noise.mean()) < 4 * sd / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * noise.size))
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.02


def test_cutout_points_removes_a_binomial_number_of_bins():
    corrupted = run(CORRUPTIONS["cutout_points"], ROWS)
    gone = corrupted == 0
    assert abs(gone.sum() - 0.05 * gone.size) < 4 * np.sqrt(0.05 * 0.95 * gone.size)
    np.testing.assert_array_equal(corrupted[~gone], ROWS[~gone])


@pytest.mark.parametrize(("window", "length"), [(8, 1), (40, 2)])
def test_cutout_block_is_one_block_at_the_maximum_anywhere(window, length):
    rows = ROWS[:, :window]
    corrupted = run(CORRUPTIONS["cutout_block"], rows)
    changed = corrupted != np.asarray(rows)
    assert np.all(changed.sum(axis=1) == length) and np.all(corrupted[changed] == LARGEST)
    first = changed.argmax(axis=1)
    assert np.all(changed[np.arange(len(rows)), first + length - 1])  # no gap
    assert set(first) == set(range(window - length + 1))


def test_perlin_is_smooth_slow_and_reaches_its_amplitude():
    noise = (run(CORRUPTIONS["perlin"], ROWS) - np.asarray(ROWS)) / (0.05 * LARGEST)
    # 2000 stretches cover 8 paths: noise is somewhere 1 in absolute value, and never more
    assert np.abs(noise).max() == pytest.approx(1.0, abs=1e-4)
    # 8 cells of 62 bins; gradient noise of this scale has slopes below 10 a cell
    assert np.abs(np.diff(noise)).max() < 10 / (BINS / 8)
    assert np.abs(np.diff(noise, n=2)).max() < 0.1 * np.abs(np.diff(noise)).max() + 1e-3
    # one path has 461 stretches, eight have 3688, of which 2000 draws meet 1540 on average
    assert len(np.unique(np.round(noise[:, [0, 20, -1]], 4), axis=0)) > 1_400


@jax.jit
def varied(rows, scale, amplitude, trend):
    return scale_trend(scale=scale, amplitude=amplitude, trend=trend)(KEY, rows)


def test_scaling_alone_keeps_the_shape_of_a_window():
    scaled = np.asarray(varied(ROWS, 0.5, 0.0, 0.0))
    factor = scaled.mean(axis=1) / np.asarray(ROWS).mean(axis=1)
    np.testing.assert_allclose(scaled, factor[:, None] * ROWS, rtol=1e-5)
    log = np.log(factor)
    assert abs(log.mean()) < 4 * 0.5 / np.sqrt(len(log))
    assert log.std() == pytest.approx(0.5, rel=4 / np.sqrt(2 * len(log)))


def test_amplitude_alone_keeps_the_mean_and_scales_the_variation():
    corrupted = np.asarray(varied(ROWS, 0.0, 0.3, 0.0))
    uncut = np.all(corrupted > 0, axis=1)
    rows, corrupted = np.asarray(ROWS)[uncut], corrupted[uncut]
    assert len(rows) > 0.9 * len(ROWS)
    np.testing.assert_allclose(corrupted.mean(axis=1), rows.mean(axis=1), rtol=1e-5)
    ratio = corrupted.std(axis=1) / rows.std(axis=1)
    centred = rows - rows.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        corrupted - corrupted.mean(axis=1, keepdims=True), ratio[:, None] * centred, atol=0.01
    )
    assert np.log(ratio).std() == pytest.approx(0.3, rel=0.1)


def test_trend_alone_tilts_a_constant_window_by_its_slope():
    level = jnp.full((2_000, WINDOW), 1_000.0)
    tilted = np.asarray(varied(level, 0.0, 0.0, 0.2)) / 1_000.0
    np.testing.assert_allclose(tilted.mean(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(np.diff(tilted, n=2), 0.0, atol=1e-6)
    slope = tilted[:, -1] - tilted[:, 0]
    assert abs(slope.mean()) < 4 * 0.2 / np.sqrt(len(slope))
    assert slope.std() == pytest.approx(0.2, rel=4 / np.sqrt(2 * len(slope)))


def test_no_strength_is_no_change():
    np.testing.assert_allclose(varied(ROWS, 0.0, 0.0, 0.0), ROWS, rtol=1e-6)


@jax.jit
def batches(mix):
    """First bins of a batch of two seeds [2, batch], negative where a row is corrupted."""

    def first_bins(params, rows, key):
        assert key is not None  # for dropout
        return rows[:, 0]

    inner = augmented(lambda key, rows: -rows, first_bins, mix=mix, batch=400)
    data = RobustData(Windows(ROWS, ROWS[:0]))

    def step(key):
        state, context, metrics = inner.prepare(key, inner.init(key, data), (), data)
        assert metrics == {} and state == ()
        return inner.losses(key, (), data, context)

    return jax.vmap(step)(jax.random.split(KEY, 2))


def test_mix_is_the_share_of_rows_that_are_corrupted():
    none, half, all_rows = (np.asarray(batches(mix)) for mix in (0.0, 0.5, 1.0))
    assert np.all(none > 0) and np.all(all_rows < 0)
    assert abs(np.mean(half < 0) - 0.5) < 4 * 0.5 / np.sqrt(half.size)
    np.testing.assert_array_equal(np.abs(half), none)
    assert np.all(np.isin(none, ROWS[:, 0])) and np.any(none[0] != none[1])
