"""The longest of n passes: order statistics of normal numbers, brute force, derivatives."""

from itertools import product

import jax
import numpy as np
import pytest

from lpo.scale.models import Models
from lpo.scale.passes import longest, longest_spread, make_pairs, pass_moments
from tests import quick

MOST, FEW = 64, 8
CLOSED = {1: 0.0, 2: 1.0 / np.sqrt(np.pi), 3: 1.5 / np.sqrt(np.pi)}


@quick.jit
def ours(models):
    """Mean, variance and mean square."""
    return *longest_spread(models, None, MOST), longest(models, None, FEW)[1]


@quick.jit
@jax.grad
def slopes(models, n):
    """Of the mean longest of n passes, of each of the models in its own numbers."""
    return longest_spread(models, None, FEW)[0][:, n].sum()


@pytest.fixture(scope="module")
def found(cases):
    with jax.enable_x64(True):
        return tuple(map(np.asarray, ours(cases.models)))


def test_without_clips_it_is_a_normal_order_statistic(
    reference_models, cases, found, order_statistic
):
    models = reference_models.models
    mean, variance = (leaf[cases.reference] for leaf in found[:2])
    time = models.input_s * models.prompt + models.output_s * models.output
    sd = np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)
    np.testing.assert_array_equal(mean[:, 0], 0.0)
    for n, m in CLOSED.items():
        np.testing.assert_allclose(mean[:, n], time + m * sd, rtol=1e-12)
    for n in (1, 2, 8, MOST):
        m, spread = order_statistic(n)
        np.testing.assert_allclose(mean[:, n], time + m * sd, rtol=1e-11)
        np.testing.assert_allclose(np.sqrt(variance[:, n]), spread * sd, rtol=1e-8)


def test_with_clips_it_is_that_of_a_grid(cases, found, longest_by_grid):
    counts = [1, 2, 8, MOST]
    models = Models(*(leaf[cases.clipped] for leaf in cases.models))
    mean, variance = (leaf[cases.clipped] for leaf in found[:2])
    with jax.enable_x64(True):
        one = quick.jit(pass_moments)(models)
    # another quadrature
    np.testing.assert_allclose(mean[:, 1], one.time, rtol=1e-11)
    np.testing.assert_allclose(np.sqrt(variance[:, 1]), one.time_sd, rtol=1e-9, atol=1e-14)
    fields = ("prompt", "prompt_sd", "output", "output_sd", "input_s", "output_s")
    for i, row in enumerate(zip(*(getattr(models, field) for field in fields), strict=True)):
        their_mean, their_sd = longest_by_grid(*row, counts)
        np.testing.assert_allclose(mean[i, counts], their_mean, rtol=1e-3)
        spread = np.sqrt(variance[i, counts])
        np.testing.assert_allclose(spread, their_sd, rtol=1e-2, atol=1e-3 * their_mean[0])


def test_square_and_variance_say_the_same(cases, found):
    mean, variance, square = (leaf[cases.reference, : FEW + 1] for leaf in found)
    np.testing.assert_allclose(square - mean**2, variance, rtol=1e-9, atol=1e-15)


def test_of_pairs_it_is_that_of_every_outcome(reference_models):
    models = reference_models.models
    # two pairs that take the same time on the first model, one that never comes
    prompt, output = [100, 900, 1000, 10, 7000], [200, 120, 110, 3000, 9000]
    pairs = make_pairs(prompt, output, [3, 1, 2, 1, 0])
    with jax.enable_x64(True):
        mean, variance = quick.jit(lambda m: longest_spread(m, pairs, 3))(models)
    time = np.outer(models.input_s, pairs.prompt) + np.outer(models.output_s, pairs.output)
    for n in (1, 2, 3):
        first = second = 0.0
        for outcome in product(range(5), repeat=n):
            slowest = time[:, outcome].max(1)
            first += np.prod(pairs.weight[[*outcome]]) * slowest
            second += np.prod(pairs.weight[[*outcome]]) * slowest**2
        np.testing.assert_allclose(mean[:, n], first, rtol=1e-13)
        np.testing.assert_allclose(variance[:, n], second - first**2, rtol=1e-10)


@pytest.mark.parametrize("n", [1, 3])
def test_derivatives_are_those_of_the_closed_form(reference_models, cases, n):
    models = reference_models.models
    with jax.enable_x64(True):
        slope_of = slopes(cases.models, n)
    sd = np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)
    m = CLOSED[n]
    want = {
        "prompt": models.input_s,
        "output": models.output_s,
        "prompt_sd": m * models.input_s**2 * models.prompt_sd / sd,
        "output_sd": m * models.output_s**2 * models.output_sd / sd,
        "output_s": models.output + m * models.output_s * models.output_sd**2 / sd,
    }
    for name, slope in want.items():
        ours = np.asarray(getattr(slope_of, name))[cases.reference]
        np.testing.assert_allclose(ours, slope, rtol=1e-9, atol=1e-13)


def test_derivatives_are_differences_where_clips_bind(cases):
    models = cases.models
    clipped = np.arange(len(models.prompt))[cases.clipped][:24]  # the others have none
    with jax.enable_x64(True):
        slope_of = slopes(models, FEW)
        for name in ("prompt", "prompt_sd", "output", "output_sd", "input_s", "output_s"):
            number, slope = getattr(models, name), np.asarray(getattr(slope_of, name))
            step = 1e-5 * number
            high, low = (
                np.asarray(ours(models._replace(**{name: number + by}))[0])[:, FEW]
                for by in (step, -step)
            )
            varied = clipped[number[clipped] > 0.0]
            difference = (high - low)[varied] / (2.0 * step[varied])
            np.testing.assert_allclose(slope[varied], difference, rtol=1e-4, atol=1e-7)


def test_what_does_not_vary_takes_its_time_and_has_derivatives(reference_models, cases, found):
    models = reference_models.models
    mean, variance = (leaf[cases.still] for leaf in found[:2])
    with jax.enable_x64(True):
        slope_of = Models(*(np.asarray(leaf)[cases.still] for leaf in slopes(cases.models, 3)))
    time = models.input_s * models.prompt + models.output_s * models.output
    np.testing.assert_allclose(mean[:, 1:] / time[:, None], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(variance, 0.0)
    np.testing.assert_allclose(slope_of.output, models.output_s, rtol=1e-9)
    np.testing.assert_allclose(slope_of.input_s, models.prompt, rtol=1e-9)
    assert np.isfinite(np.array(slope_of)).all()
    for leaf in found[:2]:
        np.testing.assert_allclose(leaf[cases.free], 0.0, atol=1e-50)
