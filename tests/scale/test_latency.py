"""Time of k passes on P slots: identities, closed forms, a loop over simulated waves."""

import jax
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.scale.latency import time_moments
from lpo.scale.laws import LawNumbers, Laws, make_laws
from lpo.scale.models import Models
from lpo.scale.passes import longest_spread, make_pairs, pass_moments
from tests import quick

K = np.array([1, 2, 3, 4, 7, 8, 9, 16, 64, 200])
P = np.array([1, 3, 4, 8, 200, 1000])
MOST = 200


def times(latency: str, models: Models, k=K, parallel=P, pairs=None, contention=0.0):
    """Mean and sd, NumPy; one compilation a law."""
    laws, values = make_laws(latency=latency, contention=contention)
    with jax.enable_x64(True):
        return tuple(map(np.asarray, _compiled(laws, values, models, pairs, k, parallel)))


def _times(laws: Laws, numbers: LawNumbers, models: Models, pairs, k, parallel):
    return time_moments(laws, numbers, models, pairs, k, parallel, most=MOST)


_compiled = quick.jit(_times, static_argnums=0)


@pytest.fixture(scope="module")
def waves(reference_models):
    return times("waves", reference_models.models)


@pytest.fixture(scope="module")
def one(reference_models):
    models = reference_models.models
    mean = models.input_s * models.prompt + models.output_s * models.output
    return mean, np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)


def test_mean_law(reference_models, one):
    mean, sd = times("mean", reference_models.models)
    each = K / P[:, None]
    np.testing.assert_allclose(mean, one[0][:, None, None] * each, rtol=1e-12)
    np.testing.assert_allclose(sd, one[1][:, None, None] * each / np.sqrt(K), rtol=1e-12)
    assert mean[0, 2, 0] == pytest.approx(2.688)  # a quarter of a pass: what the law says


def test_waves_of_one_are_the_sum(waves, one):
    np.testing.assert_allclose(waves[0][:, 0], one[0][:, None] * K, rtol=1e-12)
    np.testing.assert_allclose(waves[1][:, 0], one[1][:, None] * np.sqrt(K), rtol=1e-10)


def test_one_wave_is_the_longest_pass(reference_models, waves):
    with jax.enable_x64(True):
        longest = quick.jit(lambda m: longest_spread(m, None, MOST))(reference_models.models)
        mean, variance = map(np.asarray, longest)
    for p, slots in enumerate(P):
        fits = slots >= K
        np.testing.assert_allclose(waves[0][:, p, fits], mean[:, K[fits]], rtol=1e-13)
        np.testing.assert_allclose(waves[1][:, p, fits], np.sqrt(variance[:, K[fits]]), rtol=1e-12)
    np.testing.assert_array_equal(waves[0][:, 4], waves[0][:, 5])
    np.testing.assert_array_equal(waves[1][:, 4], waves[1][:, 5])


def test_waves_are_sums_of_order_statistics(waves, one, order_statistic):
    """k = 7 and 9 on 4 slots: waves of 4 and 3, and of 4, 4 and 1."""
    four, three = order_statistic(4)[0], 1.5 / np.sqrt(np.pi)
    mean, sd = one
    np.testing.assert_allclose(waves[0][:, 2, 4], 2 * mean + sd * (four + three), rtol=1e-11)
    np.testing.assert_allclose(waves[0][:, 2, 6], 3 * mean + sd * 2 * four, rtol=1e-11)


@pytest.mark.parametrize("contention", [0.0, 0.05])
def test_a_loop_over_simulated_waves_agrees(reference_models, contention):
    models = reference_models.models
    latency = "contended" if contention else "waves"
    mean, sd = times(latency, models, contention=contention)
    rng = np.random.default_rng(0)
    trials = 20_000
    for p, k in ((1, 4), (2, 7), (3, 3)):  # 7 passes on 3 slots, 16 on 4, 4 on 8
        prompt, output = rng.normal(1024, 64, (trials, K[k])), rng.normal(2048, 128, (trials, K[k]))
        time = models.input_s[0] * prompt + models.output_s[0] * output
        total = np.zeros(trials)
        for begin in range(0, K[k], P[p]):
            wave = time[:, begin : begin + P[p]]
            total += wave.max(1) * (1.0 + contention * (wave.shape[1] - 1))
        error = total.std() / np.sqrt(trials)
        assert mean[0, p, k] == pytest.approx(total.mean(), abs=4.0 * error)
        assert sd[0, p, k] == pytest.approx(total.std(), rel=4.0 / np.sqrt(2.0 * trials))


def test_contention_slows_waves_by_their_size(reference_models, waves):
    """The derivative at 0 is the sum of (r - 1) E[W_r], whatever r is."""
    laws, _ = make_laws(latency="contended", contention=0.1)
    models = reference_models.models

    def time(contention):
        numbers = LawNumbers(contention=contention)
        return time_moments(laws, numbers, models, None, K, P, most=MOST)[0]

    with jax.enable_x64(True):
        value, slope = quick.jit(lambda c: jax.jvp(time, (c,), (1.0,)))(0.0)
    np.testing.assert_allclose(value, waves[0], rtol=1e-13)
    np.testing.assert_array_equal(slope[:, 0], 0.0)
    longest = waves[0][:, 5]  # k on 1000 slots
    at = {int(k): longest[:, i] for i, k in enumerate(K)}
    np.testing.assert_allclose(slope[:, 1, 4], 2 * 2 * at[3], rtol=1e-12)  # 3, 3 and 1
    np.testing.assert_allclose(slope[:, 2, 4], 3 * at[4] + 2 * at[3], rtol=1e-12)
    np.testing.assert_allclose(slope[:, 3, 5], 7 * at[8], rtol=1e-12)


def test_numbers_of_slots_that_are_traced_and_those_that_are_known_agree(reference_models, waves):
    laws, numbers = make_laws(latency="waves")
    models = reference_models.models
    with jax.enable_x64(True):
        # the largest wave is known to have 4 passes
        known = quick.jit(lambda m: time_moments(laws, numbers, m, None, K[:4], P[1:3]))(models)
        one_by_one = quick.jit(jax.vmap(lambda p: _times(laws, numbers, models, None, K, p)[0]))
        one_by_one = one_by_one(P[:, None])[:, :, 0]
    np.testing.assert_allclose(known[0], waves[0][:, 1:3, :4], rtol=1e-13)
    np.testing.assert_allclose(np.moveaxis(one_by_one, 0, 1), waves[0], rtol=1e-13)


def test_observed_lengths(reference_models):
    """Two lengths, one of which comes once in four times; 3 passes on 2 slots."""
    models = reference_models.models
    pairs = make_pairs([1000, 1000], [100, 400], [3, 1])
    mean, sd = times("waves", models, k=np.array([3]), parallel=np.array([2]), pairs=pairs)
    short, long = (models.input_s * 1000.0 + models.output_s * output for output in (100, 400))
    gap = long - short
    both = 1.0 - 0.75**2
    np.testing.assert_allclose(mean[:, 0, 0], 2.0 * short + gap * (both + 0.25), rtol=1e-12)
    spread = np.sqrt(both * (1.0 - both) + 0.25 * 0.75)
    np.testing.assert_allclose(sd[:, 0, 0], gap * spread, rtol=1e-10)
    one = quick.jit(pass_moments)(models, pairs)
    mean, _ = times("mean", models, k=np.array([3]), parallel=np.array([2]), pairs=pairs)
    np.testing.assert_allclose(mean[:, 0, 0], 1.5 * np.asarray(one.time), rtol=1e-6)


def test_what_cannot_be_said_is_refused(reference_models):
    models = reference_models.models
    laws, numbers = make_laws(latency="work_conserving")
    with pytest.raises(InputError, match="work_conserving has no closed form"):
        time_moments(laws, numbers, models, None, K, P)
    laws, numbers = make_laws(latency="waves")
    with pytest.raises(InputError, match="`most` must be given"):
        jax.jit(lambda p: time_moments(laws, numbers, models, None, K, p))(P)
