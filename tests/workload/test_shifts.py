"""Corruptions against the laws they are drawn from; mixtures against their parts."""

import numpy as np
import pytest

from lpo.workload.shifts import (
    CORRUPTIONS,
    cutout_block,
    cutout_points,
    gaussian,
    generator,
    mixture,
    mixture_pairs,
    perlin,
    perlin_noise,
)

TOKENS = np.random.default_rng(1).uniform(1_000, 2_000, 40_000)


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corruption_is_a_pure_function_of_its_stream(corrupt):
    before = TOKENS.copy()
    first, again = corrupt(TOKENS, rng()), corrupt(TOKENS, rng())
    other = corrupt(TOKENS, np.random.default_rng(3))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(TOKENS, before)
    assert np.any(first != other)
    assert first.shape == TOKENS.shape and first.min() >= 0


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_corruption_follows_the_unit_of_its_series(corrupt):
    np.testing.assert_allclose(corrupt(4.0 * TOKENS, rng()), 4.0 * corrupt(TOKENS, rng()))


def test_cutout_points_zeroes_a_binomial_number_and_leaves_the_rest():
    corrupted = cutout_points(TOKENS, rng(), probability=0.05)
    gone = corrupted == 0
    sd = np.sqrt(0.05 * 0.95 * len(TOKENS))
    assert abs(gone.sum() - 0.05 * len(TOKENS)) < 4 * sd
    np.testing.assert_array_equal(corrupted[~gone], TOKENS[~gone])


def test_cutout_block_is_one_block_at_the_maximum():
    corrupted = cutout_block(TOKENS, rng(), share=0.05)
    changed = np.flatnonzero(corrupted != TOKENS)
    assert np.all(corrupted[changed] == TOKENS.max())
    assert 1_999 <= len(changed) <= 2_000  # the maximum itself may lie in the block
    assert changed[-1] - changed[0] <= 1_999


def test_cutout_block_reaches_both_ends():
    series = np.arange(20.0)
    starts = {
        int(np.flatnonzero(cutout_block(series, np.random.default_rng(i), share=0.2) == 19)[0])
        for i in range(300)
    }
    assert starts == set(range(17))


def test_gaussian_has_the_deviation_asked_for_where_nothing_is_clipped():
    noise = gaussian(TOKENS, rng(), amplitude=0.05) - TOKENS
    assert noise.mean() == pytest.approx(0, abs=4 * 100 / np.sqrt(len(TOKENS)))
    assert noise.std() == pytest.approx(0.05 * TOKENS.max(), rel=0.02)
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03


def test_gaussian_clips_half_of_it_at_zero_demand():
    tokens = np.zeros(10_000)
    tokens[0] = 100.0
    corrupted = gaussian(tokens, rng(), amplitude=0.1)[1:]
    assert np.mean(corrupted == 0) == pytest.approx(0.5, abs=0.02)
    assert corrupted.mean() == pytest.approx(10 / np.sqrt(2 * np.pi), rel=0.05)


def test_perlin_moves_by_the_amplitude_at_most_and_reaches_it():
    noise = perlin(TOKENS, rng(), amplitude=0.05) - TOKENS
    assert np.abs(noise).max() == pytest.approx(0.05 * TOKENS.max())
    assert noise.mean() == pytest.approx(0, abs=1e-9)


def test_perlin_noise_is_smooth_and_vanishes_on_its_lattice():
    bins, cells = 8_000, 8
    noise = perlin_noise(bins, rng(), cells=cells)
    # Before centring gradient noise is zero at every lattice point, so here all are alike.
    lattice = noise[:: bins // cells]
    np.testing.assert_allclose(lattice, lattice[0], atol=1e-12)
    # Steps of 1 / 1000 of a cell: slopes of the normalised noise stay of order ten.
    assert np.abs(np.diff(noise)).max() < 0.02
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] > 0.999


def test_perlin_noise_between_two_points_is_the_blend_of_two_lines():
    slope = np.random.default_rng(0).uniform(-1, 1, 2)
    t = np.arange(100) / 100
    blend = 6 * t**5 - 15 * t**4 + 10 * t**3
    raw = slope[0] * t * (1 - blend) + slope[1] * (t - 1) * blend
    raw = (raw - raw.mean()) / np.abs(raw - raw.mean()).max()
    np.testing.assert_allclose(perlin_noise(100, rng(), cells=1), raw)


def test_streams_differ_by_seed_and_by_name_and_by_nothing_else():
    draws = [generator(*key).random() for key in [(0, "a"), (0, "b"), (1, "a"), (0, "a")]]
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_mixture_is_the_first_half_of_each():
    mixed = mixture(np.arange(7.0), np.arange(10.0, 20.0))
    np.testing.assert_array_equal(mixed, [0, 1, 2, 10, 11, 12, 13, 14])


def test_mixtures_are_the_papers_or_each_other_series_with_the_trained_one():
    azure = ["conv_2024", "code_2024", "conv_2023", "code_2023"]
    assert mixture_pairs(azure, "conv_2024") == [
        ("code_2023", "code_2024"),
        ("code_2023", "conv_2024"),
        ("code_2024", "conv_2024"),
    ]
    assert mixture_pairs(["chat", "code", "agents"], "chat") == [
        ("code", "chat"),
        ("agents", "chat"),
    ]
    assert mixture_pairs(["mine"], "mine") == []


def test_test_sets_have_the_published_strengths():
    """Cutout .5 %, Perlin 5 % and Gaussian 10 % of the maximum (3D-Learning, corrupted tests)."""
    tokens = np.full(200_000, 1e6)
    changed = {name: corrupt(tokens, rng()) - tokens for name, corrupt in CORRUPTIONS.items()}
    sd = np.sqrt(0.005 * 0.995 * len(tokens))
    assert abs(np.sum(changed["cutout_points"] == -1e6) - 1000) < 4 * sd
    assert np.abs(changed["perlin"]).max() == pytest.approx(0.05e6)
    assert changed["gaussian"].std() == pytest.approx(0.10e6, rel=0.02)
    varying = np.arange(200_000.0)
    block = cutout_block(varying, rng())
    assert np.sum(block != varying) in (999, 1000)  # the maximum itself may be inside
