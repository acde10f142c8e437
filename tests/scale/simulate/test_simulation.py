"""Curves against their own paths and against exact moments, in chunks, groups and threads."""

import jax
import numpy as np
import pytest
from scipy import integrate, special

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.exact import exact_curves
from lpo.scale.laws import make_laws
from lpo.scale.models import Models, chosen
from lpo.scale.passes import make_pairs
from lpo.scale.simulate import query_paths, simulate
from lpo.scale.simulate.chunk import simulate_chunk
from lpo.scale.simulate.moments import Moments, estimate_of, merged
from lpo.scale.simulate.simulation import GROUP

KEY = jax.random.key(2)
K = np.array([1, 2, 5, 9])
SLOTS = np.array([1, 4])
LAWS = make_laws()


def curves(given, k=K, slots=SLOTS, laws=LAWS, **options):
    return simulate(KEY, *laws, given, k, slots, **options)


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
    before = simulate_chunk._cache_size()
    for scale in (0.5, 2.0):
        changed = models._replace(input_s=scale * models.input_s, accuracy=models.accuracy - 0.1)
        other = make_laws(contention=scale, verifier_sd=scale)  # numbers, not laws
        curves(changed, [3, 9], SLOTS + 1, other, limits=limits, trials=900)
    assert simulate_chunk._cache_size() == before
    alone = curves(chosen(reference_models, ["qwen3-max"]).models, limits=limits)
    stacked = curves(models, limits=limits)
    at = reference_models.names.index("qwen3-max")
    np.testing.assert_array_equal(alone.met[:, 0], stacked.met[:, at])
    for one, other in zip(jax.tree.leaves(alone[2:5]), jax.tree.leaves(stacked[2:5]), strict=True):
        np.testing.assert_allclose(one[0], other[at], rtol=1e-6)


def test_four_standard_errors_from_closed_forms(models):
    """The integral of 1 - F^k, and normal times in waves (arXiv 2510.18905; order statistics)."""
    k = np.array([1, 4, 16, 64])
    ours = curves(models, k, [4], trials=20_000, percentiles=False)
    assert ours.cost.low is None and ours.time.high is None
    m = models
    price = m.input_price * m.prompt + m.output_price * m.output
    assert near(ours.cost, (price[:, None] * k)[:, None])
    seconds = m.input_s * m.prompt + m.output_s * m.output
    spread = np.hypot(m.input_s * m.prompt_sd, m.output_s * m.output_sd)
    longest = 4 * integrate.quad(lambda z: z * special.ndtr(z) ** 3 * np.exp(-z * z / 2), -9, 9)[0]
    full = seconds + spread * longest / np.sqrt(2 * np.pi)
    times = np.stack([seconds, full, 4 * full, 16 * full], 1)
    assert near(ours.time, times[:, None])

    def best(mean, sd, k):
        return integrate.quad(
            lambda x: -np.expm1(k * special.log_ndtr((x - mean) / sd)), 0, 1, points=[mean]
        )[0]

    exact = [[best(*one, n) for n in k] for one in zip(m.accuracy, m.accuracy_sd, strict=True)]
    assert near(ours.accuracy, np.array(exact)[:, None])


@pytest.mark.parametrize(
    "given",
    [
        {"latency": "contended", "contention": 0.3, "accuracy": "truncated_normal"},
        {"latency": "mean", "accuracy": "beta", "correlation": 0.4},
        {"rule": "verifier", "verifier_sd": 0.05, "correlation": 0.3},
        {"rule": "majority", "wrong_answers": 3},
        {"rule": "weighted", "correlation": 0.3, "right_weight": 0.8, "wrong_weight": 1.3},
        {"rule": "pass_at_k", "varied": True},
    ],
    ids=lambda given: "-".join(str(value) for value in given.values()),
)
def test_four_standard_errors_from_exact_curves(models, given):
    """Means, and standard deviations to what 8000 queries tell of them."""
    laws = make_laws(**given)
    k = np.array([1, 4, 7, 16])
    harder = models._replace(accuracy=models.accuracy - 0.3, accuracy_sd=2.0 * models.accuracy_sd)
    ours = curves(harder, k, [3], laws, trials=8000, percentiles=False)
    exact = exact_curves(*laws, harder, k, [3])
    for one, other in zip(ours[2:5], exact[2:5], strict=True):
        assert near(one, other.mean, other.sd / np.sqrt(8000))
        np.testing.assert_allclose(one.sd, other.sd, rtol=0.08, atol=2e-3)


def test_four_standard_errors_from_exact_curves_of_pairs(models):
    rng = np.random.default_rng(0)
    pairs = make_pairs(rng.lognormal(6, 1, 300), rng.lognormal(5, 1.2, 300), rng.random(300))
    k = np.array([1, 4, 7, 16])
    ours = curves(models, k, [3], trials=8000, percentiles=False, pairs=pairs)
    exact = exact_curves(*LAWS, models, k, [3], pairs)
    assert near(ours.cost, exact.cost.mean) and near(ours.time, exact.time.mean)


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
        ({"trials": 1}, "`trials` must be whole numbers of at least 2"),
        ({"chunk": 100}, "`chunk` must be a multiple of 512"),
        ({"limits": Limits(np.nan, 1.0, 0.5)}, "`limits.cost` must be numbers"),
        ({"limits": Limits([1.0, 2.0], [1.0, 2.0, 3.0], 0.5)}, "`limits` must be of one number"),
    ):
        with pytest.raises(InputError, match=words):
            curves(models, **options)


def near(estimate, exact, sem=0.0):
    """Within four standard errors, or the rounding of float32 where nothing varies."""
    error = np.maximum(estimate.sem, sem)  # of the exact law: no query may have met a rare event
    return bool((np.abs(estimate.mean - exact) <= 4.0 * error + 3e-7 * exact).all())
