"""Moments of a pass: closed forms where no clip binds, a grid where they do, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.scale.models import Models
from lpo.scale.passes import PassMoments, make_pairs, pass_moments
from lpo.scale.passes.moments import normal_lengths
from tests import quick

ours = quick.jit(lambda models: (pass_moments(models), normal_lengths(models)))
TIME, TIME_SD = np.array([0.0, 0.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])


@quick.jit
@jax.grad
def slopes(models, weights):
    """Of a weighted sum of the four moments, of each of the models in its own numbers."""
    return (weights @ jnp.stack(pass_moments(models))).sum()


@pytest.fixture(scope="module")
def found(cases):
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, ours(cases.models))


def test_without_clips_they_are_sums_of_normal_numbers(reference_models, cases, found):
    models = reference_models.models
    here = PassMoments(*(leaf[cases.reference] for leaf in found[0]))
    for mean, sd, of_input, of_output in (
        (here.cost, here.cost_sd, models.input_price, models.output_price),
        (here.time, here.time_sd, models.input_s, models.output_s),
    ):
        want = of_input * models.prompt + of_output * models.output
        np.testing.assert_allclose(mean, want, rtol=1e-12)
        spread = np.hypot(of_input * models.prompt_sd, of_output * models.output_sd)
        np.testing.assert_allclose(sd, spread, rtol=1e-12)
    assert here.cost[0] == pytest.approx(0.02176)
    assert here.time[0] == pytest.approx(10.752)


def test_with_clips_they_are_those_of_a_grid(cases, found, moments_by_grid):
    passes, lengths = jax.tree.map(lambda leaf: leaf[cases.clipped], found)
    theirs = np.repeat([moments_by_grid(*lengths) for lengths in cases.lengths], 4, axis=0).T
    np.testing.assert_allclose(lengths.mean.T, theirs[:2], rtol=2e-5)
    covariance = lengths.covariance.reshape(-1, 4).T[[0, 3, 1, 2]]
    want = np.array([*theirs[2:], theirs[4]])
    scale = np.array([theirs[2], theirs[3], *[np.sqrt(theirs[2] * theirs[3])] * 2])
    np.testing.assert_array_less(np.abs(covariance - want), 2e-5 * scale + 1e-9)
    models = Models(*(leaf[cases.clipped] for leaf in cases.models))
    variance = models.input_s**2 * theirs[2] + models.output_s**2 * theirs[3]
    variance += 2.0 * models.input_s * models.output_s * theirs[4]
    np.testing.assert_allclose(passes.time_sd, np.sqrt(variance), rtol=2e-5, atol=1e-9)


def test_derivatives_are_those_of_the_closed_form(reference_models, cases):
    models = reference_models.models
    with jax.enable_x64(True):
        mean, sd = (
            Models(*(np.asarray(leaf)[cases.reference] for leaf in slopes(cases.models, which)))
            for which in (TIME, TIME_SD)
        )
    np.testing.assert_allclose(mean.prompt, models.input_s, rtol=1e-11)
    np.testing.assert_allclose(mean.output_s, models.output, rtol=1e-11)
    np.testing.assert_allclose(mean.output_sd, 0.0, atol=1e-12)
    np.testing.assert_allclose(mean.input_price, 0.0)
    spread = np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)
    np.testing.assert_allclose(sd.prompt_sd, models.input_s**2 * models.prompt_sd / spread)
    np.testing.assert_allclose(sd.output_s, models.output_s * models.output_sd**2 / spread)
    np.testing.assert_allclose(sd.prompt, 0.0, atol=1e-12)


def test_derivatives_are_differences_where_clips_bind(cases):
    models = cases.models
    clipped = np.arange(len(models.prompt))[cases.clipped]
    with jax.enable_x64(True):
        slope_of = slopes(models, TIME + TIME_SD)
        for name in ("prompt", "prompt_sd", "output", "output_sd", "input_s", "output_s"):
            number, slope = getattr(models, name), np.asarray(getattr(slope_of, name))
            step = 1e-5 * number
            high, low = (
                np.sum(ours(models._replace(**{name: number + by}))[0][2:], 0)
                for by in (step, -step)
            )
            varied = clipped[number[clipped] > 0.0]
            difference = (high - low)[varied] / (2.0 * step[varied])
            np.testing.assert_allclose(slope[varied], difference, rtol=1e-5, atol=1e-9)


def test_lengths_that_do_not_vary_and_passes_that_are_free(reference_models, cases, found):
    models = reference_models.models
    still, free = (
        PassMoments(*(leaf[rows] for leaf in found[0])) for rows in (cases.still, cases.free)
    )
    with jax.enable_x64(True):
        slope_of = np.array(slopes(cases.models, np.ones(4)))
    np.testing.assert_array_equal([free.cost, free.cost_sd], 0.0)
    np.testing.assert_allclose(still.time, models.input_s * 1024.0 + models.output_s * 2048.0)
    np.testing.assert_allclose(still.time_sd / still.time, 0.0, atol=1e-14)
    assert np.isfinite(slope_of[:, cases.still]).all()
    assert np.isfinite(slope_of[:, cases.free]).all()


def test_observed_lengths_count_with_their_covariance(reference_models):
    models = reference_models.models
    rng = np.random.default_rng(0)
    prompt = rng.integers(1, 4000, 50)
    output = prompt // 2 + rng.integers(1, 500, 50)
    with jax.enable_x64(True):
        ours = quick.jit(pass_moments)(models, make_pairs(prompt, output))
    cost = np.outer(models.input_price, prompt) + np.outer(models.output_price, output)
    np.testing.assert_allclose(ours.cost, cost.mean(1), rtol=1e-12)
    np.testing.assert_allclose(ours.cost_sd, cost.std(1), rtol=1e-12)
