"""Shifts against the laws they are drawn from; mixtures against their parts."""

import numpy as np
import pytest
from scipy import stats

from lpo.workload.shifts import (
    CORRUPTIONS,
    bursts,
    cutout_block,
    cutout_points,
    gaussian,
    generator,
    mixture,
    mixture_pairs,
    overdispersion,
    perlin,
    perlin_noise,
    regime,
    subsampled,
    thinning,
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


# --- shifts of ours ------------------------------------------------------------------------------


@pytest.mark.parametrize("log_sd", [0.3, 0.6])
def test_overdispersion_is_log_normal_of_mean_one(log_sd):
    factor = overdispersion(TOKENS, rng(), log_sd=log_sd) / TOKENS
    count = len(TOKENS)
    sd = np.sqrt(np.expm1(log_sd**2))  # of the factor: exp(2 mu + s^2)(exp(s^2) - 1), mu = -s^2 / 2
    assert factor.mean() == pytest.approx(1, abs=4 * sd / np.sqrt(count))
    logs = np.log(factor)
    assert logs.std() == pytest.approx(log_sd, rel=4 / np.sqrt(2 * count))
    assert logs.mean() == pytest.approx(-(log_sd**2) / 2, abs=4 * log_sd / np.sqrt(count))
    assert stats.kstest((logs + log_sd**2 / 2) / log_sd, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(logs[1:], logs[:-1])[0, 1]) < 4 / np.sqrt(count)


class Scripted:
    """A generator whose uniform draws are given: a bin below the probability starts a burst."""

    def __init__(self, starts, bins):
        self.draws = np.ones(bins)
        self.draws[list(starts)] = 0.0

    def random(self, shape):
        assert shape == self.draws.shape
        return self.draws


def test_a_burst_triples_demand_and_is_gone_after_five_bins():
    burst = bursts(np.full(12, 10.0), Scripted([4], 12))  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(burst, [10] * 4 + [30, 26, 22, 18, 14] + [10] * 3)


def test_bursts_that_overlap_add_and_the_last_is_cut_off():
    tokens = np.linspace(1, 2, 9)
    both = bursts(tokens, Scripted([1, 3, 8], 9))  # pyright: ignore[reportArgumentType]
    gains = [0, 2, 1.6, 1.2 + 2, 0.8 + 1.6, 0.4 + 1.2, 0.8, 0.4, 2]
    np.testing.assert_allclose(both, tokens * (1 + np.array(gains)))


def test_one_bin_in_a_hundred_starts_a_burst():
    gain = bursts(np.ones(200_000), rng()) - 1
    # A start adds 2 to a sum of gains that otherwise falls by at most .4 times those under way.
    starts = np.sum(np.diff(gain, prepend=0) > 0)
    sd = np.sqrt(0.01 * 0.99 * len(gain))
    assert abs(starts - 2_000) < 4 * sd
    assert gain.mean() == pytest.approx(0.01 * (2 + 1.6 + 1.2 + 0.8 + 0.4), rel=0.1)


@pytest.mark.parametrize("bin_s", [5.0, 60.0, 300.0, 7 * 60.0])
def test_regimes_change_every_three_hours(bin_s):
    tokens = np.full(int(13 * 3600 / bin_s), 7.0)
    level = regime(tokens, bin_s) / 7
    begins = np.arange(len(tokens)) * bin_s / 3600  # hours
    first, second, third, fourth, last = (
        level[(begins >= lo) & (begins < hi)]
        for lo, hi in [(0, 3), (3, 6), (6, 9), (9, 12), (12, 13)]
    )
    for block, factor in ((first, 1), (second, 2), (third, 1), (fourth, 2), (last, 1)):
        assert np.all(block == factor)


def test_thinning_is_poisson_with_twenty_counts_a_mean_bin():
    tokens = np.repeat([500.0, 1_500.0], 20_000)  # mean 1000: 10 and 30 counts of 50 tokens
    thinned = thinning(tokens, rng()).reshape(2, -1)
    np.testing.assert_allclose(thinned / 50, np.rint(thinned / 50), atol=1e-9)
    for bins, mean in zip(thinned, (500.0, 1_500.0), strict=True):
        variance = 50 * mean
        assert bins.mean() == pytest.approx(mean, abs=4 * np.sqrt(variance / bins.size))
        assert bins.var() == pytest.approx(variance, rel=4 * np.sqrt(2.1 / bins.size))
    assert np.all(thinning(np.zeros(5), rng()) == 0)


def test_a_clock_three_times_as_fast_keeps_bins_and_shortens_cycles():
    bins = np.arange(3_000)
    cycle = 1_000 * (2 + np.sin(2 * np.pi * bins / 1_440))
    noise = rng().normal(size=3_000)
    fast = subsampled(cycle + noise, 3)
    np.testing.assert_allclose(
        fast[:900] - noise[:2_700:3], 1_000 * (2 + np.sin(2 * np.pi * bins[:900] / 480))
    )
    assert len(fast) == 1_000 and len(subsampled(np.ones(7), 3)) == 3
