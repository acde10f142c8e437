"""Curves against their own paths, in chunks, groups and threads."""

from typing import Any

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.laws import make_laws
from lpo.scale.models import Models, chosen
from lpo.scale.monte_carlo import query_paths, runs, simulate
from lpo.scale.monte_carlo.moments import Moments, estimate_of, merged
from lpo.scale.monte_carlo.simulation import GROUP

KEY = jax.random.key(2)
K = np.array([1, 2, 5, 9])
SLOTS = np.array([1, 4])
LAWS = make_laws()


def curves(given, k: Any = K, slots: Any = SLOTS, laws=LAWS, **options):
    return simulate(KEY, laws[0], laws[1], given, k, slots, **options)


@pytest.fixture(scope="module")
def models(reference_models):
    return reference_models.models


@pytest.mark.parametrize("trials", [300, 700])  # of one chunk, and of two
def test_statistics_are_those_of_the_paths(models, trials):
    limits = Limits(np.array([0.02, 0.5, 1.0]), np.array([30.0, 12.0, 60.0]), 0.93)
    ours = curves(models, trials=trials, limits=limits)
    paths = query_paths(KEY, *LAWS, models, 9, SLOTS, trials)
    cost, time, accuracy = (np.asarray(leaf, float)[..., K - 1] for leaf in paths)
    cost, accuracy = (np.repeat(each[:, None], 2, 1) for each in (cost, accuracy))
    for estimate, values in ((ours.cost, cost), (ours.time, time), (ours.accuracy, accuracy)):
        assert estimate.mean.shape == (9, 2, 4)
        sd = values.std(2, ddof=1)
        np.testing.assert_allclose(estimate.mean, values.mean(2), rtol=1e-7)
        np.testing.assert_allclose(estimate.sd, sd, rtol=1e-5)
        np.testing.assert_allclose(estimate.sem, sd / np.sqrt(trials), rtol=1e-5)
        low, high = np.quantile(values, [0.025, 0.975], axis=2)
        np.testing.assert_allclose(estimate.low, low, rtol=1e-7)
        np.testing.assert_allclose(estimate.high, high, rtol=1e-7)
    kept = [
        (cost <= most) & (time <= latest) & (accuracy >= 0.93)
        for most, latest in zip(limits.cost, limits.time, strict=True)
    ]
    np.testing.assert_array_equal(ours.met, np.stack(kept).sum(3))
    assert ours.met[0].max() > 0 and ours.met.min() == 0 and ours.met.max() <= trials
    np.testing.assert_array_equal(ours.k, K)
    assert ours.trials == trials


def test_chunks_change_nothing_but_rounding(models):
    limits = Limits(0.5, np.array([60.0, 30.0, 9.0]), 0.9)
    runs = [curves(models, trials=2500, limits=limits, chunk=chunk) for chunk in (512, 1024)]
    np.testing.assert_array_equal(runs[0].met, runs[1].met)
    for one, other in zip(jax.tree.leaves(runs[0]), jax.tree.leaves(runs[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_more_passes_change_nothing_before(models):
    longer, shorter = curves(models, [1, 2, 5, 9, 20]), curves(models)
    for one, other in ((longer.cost, shorter.cost), (longer.accuracy, shorter.accuracy)):
        np.testing.assert_array_equal(one.mean[..., :4], other.mean)
    np.testing.assert_array_equal(longer.time.sd[..., :4], shorter.time.sd)
    assert shorter.met is None
    plain = curves(models, percentiles=False)
    assert plain.cost.low is None and plain.time.high is None
    np.testing.assert_allclose(plain.time.sd, shorter.time.sd, rtol=1e-12)


def test_percentiles_of_many_queries_are_means_over_groups(models):
    trials = 2 * GROUP + 300
    ours = curves(models, trials=trials)
    paths = query_paths(KEY, *LAWS, models, 9, SLOTS, trials).time[..., K - 1].astype(float)
    cuts = [slice(0, GROUP), slice(GROUP, 2 * GROUP), slice(2 * GROUP, trials)]
    each = [np.quantile(paths[:, :, cut], 0.975, axis=2) for cut in cuts]
    expected = np.average(each, axis=0, weights=[GROUP, GROUP, 300])
    np.testing.assert_allclose(ours.time.high, expected, rtol=1e-7)
    np.testing.assert_allclose(ours.time.mean, paths.mean(2), rtol=1e-7)
    np.testing.assert_allclose(ours.time.sd, paths.std(2, ddof=1), rtol=1e-5)


def test_one_program_for_all_models_passes_and_scenarios(models, reference_models):
    limits = Limits(np.array([0.05, 0.5, 2.0]), 60.0, 0.9)
    curves(models, limits=limits)
    program: Any = runs.simulate_chunk
    before = program._cache_size()
    assert before > 0
    for scale in (0.5, 2.0):
        changed = models._replace(input_s=scale * models.input_s, accuracy=models.accuracy - 0.1)
        other = make_laws(contention=scale, verifier_sd=scale)  # numbers, not laws
        curves(changed, [3, 9], SLOTS + 1, other, limits=limits, trials=900)
    assert program._cache_size() == before
    alone = curves(chosen(reference_models, ["qwen3-max"]).models, limits=limits)
    stacked = curves(models, limits=limits)
    at = reference_models.names.index("qwen3-max")
    np.testing.assert_array_equal(alone.met[:, 0], stacked.met[:, at])
    for one, other in zip(jax.tree.leaves(alone[2:5]), jax.tree.leaves(stacked[2:5]), strict=True):
        np.testing.assert_allclose(one[0], other[at], rtol=1e-6)


def test_work_conserving_lies_between_its_bounds(models):
    """It has no closed form: not before the mean work, and not after waves, of the same passes."""
    mean, ours, waves = (
        curves(models, laws=make_laws(latency=latency)).time.mean
        for latency in ("mean", "work_conserving", "waves")
    )
    np.testing.assert_allclose(ours[:, 0], mean[:, 0], rtol=1e-6)
    assert (ours >= mean * (1 - 1e-7)).all() and (ours <= waves * (1 + 1e-7)).all()
    assert (ours[:, 1, 3] < waves[:, 1, 3]).all()


def test_moments_keep_their_digits_far_from_zero():
    """A spread of 1e-6 of the mean, in parts of different sizes."""
    rng = np.random.default_rng(1)
    values = 1000.0 + 1e-3 * rng.standard_normal((3, 5000))
    cuts = np.split(values, [1, 700, 4000], axis=1)
    parts = [
        Moments(part.shape[1], part.mean(1), ((part - part.mean(1)[:, None]) ** 2).sum(1))
        for part in cuts
    ]
    ours = estimate_of(merged(parts))
    np.testing.assert_allclose(ours.mean, values.mean(1), rtol=1e-14)
    np.testing.assert_allclose(ours.sd, values.std(1, ddof=1), rtol=1e-9)


def test_sums_of_passes_that_do_not_vary_are_exact():
    """k equal passes, in float32, many times: no drift with k."""
    one = np.ones(1)
    steady = Models(0.9 * one, 0 * one, 1000 * one, 0 * one, 3 * one, 0 * one, *[0.1 * one] * 4)
    k = np.array([1, 7, 200])
    exactly = Limits(100.3, 100.3, 0.9)
    ours = simulate(KEY, *LAWS, steady, k, [1, 200], trials=600, limits=exactly)
    np.testing.assert_allclose(ours.cost.mean[0, 0], 100.3 * k, rtol=3e-7)
    np.testing.assert_allclose(ours.time.mean[0], [100.3 * k, 100.3 + 0 * k], rtol=3e-7)
    np.testing.assert_allclose(ours.time.high, ours.time.mean, rtol=1e-6)
    assert (ours.time.sd < 1e-9).all() and (ours.accuracy.sd == 0.0).all()
    np.testing.assert_array_equal(ours.met[0, 0], [[600, 0, 0], [600, 0, 0]])


def test_bad_numbers(models):
    for options, words in (
        ({"k": [0, 1]}, "`k` must be whole numbers of at least 1"),
        ({"k": []}, "`k` must be"),
        ({"trials": np.inf}, "`trials` must be whole numbers"),
        ({"trials": 1}, "`trials` must be whole numbers of at least 2"),
        ({"chunk": 100}, "`chunk` must be a multiple of 512"),
        ({"limits": Limits(np.nan, 1.0, 0.5)}, "`limits.cost` must be numbers"),
        ({"limits": Limits([1.0, 2.0], [1.0, 2.0, 3.0], 0.5)}, "`limits` must be of one number"),
    ):
        with pytest.raises(InputError, match=words):
            curves(models, **options)
