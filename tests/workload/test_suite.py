"""The shift suite as a whole: names, streams, units, and the services that stand for others."""

import numpy as np
import pytest

from lpo.workload.shifts import bursts, generator
from lpo.workload.suite import STAND_INS, SUITE, shifts_of, stand_ins

TOKENS = np.random.default_rng(1).uniform(1_000, 2_000, 3_000)
FIXED = {"regime", "clock_3", "level_2", "level_half"}  # nothing in them is random


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_suite_is_the_one_that_is_documented():
    assert list(SUITE) == [
        *["overdispersion_0.3", "overdispersion_0.6", "bursts", "regime", "thinning", "clock_3"],
        *["level_2", "level_half", "cutout_points", "cutout_block", "perlin", "gaussian"],
    ]


@pytest.mark.parametrize("name", SUITE)
def test_a_shift_is_a_pure_function_of_its_stream(name):
    before = TOKENS.copy()
    first, again, other = (SUITE[name](TOKENS, rng(seed), 60.0) for seed in (0, 0, 3))
    np.testing.assert_array_equal(TOKENS, before)
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (name in FIXED)
    assert first.min() >= 0 and len(first) == (1_000 if name == "clock_3" else 3_000)


@pytest.mark.parametrize("name", SUITE)
def test_a_shift_follows_the_unit_of_its_series(name):
    shift = SUITE[name]
    np.testing.assert_allclose(shift(4 * TOKENS, rng(), 60.0), 4 * shift(TOKENS, rng(), 60.0))


def test_levels_double_and_halve():
    for name, factor in (("level_2", 2.0), ("level_half", 0.5)):
        np.testing.assert_array_equal(SUITE[name](TOKENS, rng(), 60.0), factor * TOKENS)


def test_each_shift_of_each_series_has_a_stream_of_its_own():
    first, other = (shifts_of(name, TOKENS, bin_s=60.0, seed=0) for name in ("x", "y"))
    assert list(first) == [f"x_{name}" for name in SUITE]
    np.testing.assert_array_equal(first["x_bursts"], bursts(TOKENS, generator(0, "x_bursts")))
    for name in SUITE:
        assert np.array_equal(first[f"x_{name}"], other[f"y_{name}"]) == (name in FIXED)


def test_stand_ins_are_services_of_another_size():
    made = stand_ins(mean=1_000.0, days=0.5, bin_s=300.0, seed=0)
    assert {name: len(tokens) for name, tokens in made.items()} == dict.fromkeys(STAND_INS, 144)
    assert made["agents"].mean() == pytest.approx(500) and made["agents"].min() >= 0
    assert made["chat_later"].mean() == pytest.approx(1_700)
    other = stand_ins(mean=1_000.0, days=0.5, bin_s=300.0, seed=1)
    assert all(np.any(made[name] != other[name]) for name in STAND_INS)
