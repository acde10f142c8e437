"""Samplers with denoisers whose outcome is known."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import sample_problems
from lpo.l2o.noise import Noise, Normaliser, levels, skip, to_normal
from lpo.l2o.sampling import Model, Sampler, best, calls_of, sample, samples
from tests.l2o.worlds import counted, gradients_taken, quadratic

NOISE = Noise(0.05, 2.0)
D = 3
FAMILY = quadratic((1.0, 2.0, 3.0))
PLAIN = Normaliser(jnp.zeros(D), jnp.ones(D))


def model(apply: Any, *, probes: bool = False, normaliser: Normaliser = PLAIN) -> Model:
    return Model(Denoiser("test", lambda key: None, apply, 0, probes), None, normaliser, NOISE)


@pytest.mark.parametrize("sampler", list(Sampler))
@pytest.mark.parametrize("steps", [1, 2, 8])
def test_a_denoiser_that_knows_the_solution_gives_it(sampler, steps):
    family = FAMILY
    normaliser = Normaliser(jnp.asarray([1.0, -2.0, 0.5]), jnp.asarray([0.5, 2.0, 1.0]))

    def knows(params, normaliser, z, sigma, here, before, problem):
        return to_normal(normaliser, family.solve(problem[None]).x[0])

    problem = family.sample(jax.random.key(1))
    given = model(knows, normaliser=normaliser)
    found = sample(family, given, problem, jax.random.key(0), steps=steps, sampler=sampler)
    np.testing.assert_allclose(found.x, family.solve(problem[None]).x[0], rtol=1e-5, atol=1e-6)
    assert found.value == pytest.approx(float(family.objective(found.x, problem)))


@pytest.mark.parametrize("sampler", list(Sampler))
def test_samples_of_normal_data_have_the_variance_of_the_recursion(sampler):
    """The best denoiser of standard normal data is c_s z, under which a level turns a variance v
    into (c_s + r (1 - c_s))^2 v (euler, r = sigma' / sigma) or c_s^2 v + sigma'^2."""

    def best_guess(params, normaliser, z, sigma, here, before, problem):
        return skip(sigma) * z

    family, count = FAMILY, 20_000
    draw = jax.jit(
        lambda key: samples(
            family, model(best_guess), jnp.zeros(D), key, count, steps=6, sampler=sampler
        )
    )
    x = np.asarray(draw(jax.random.key(0)).x)
    ladder = levels(NOISE, 6).astype(float)
    variance = ladder[0] ** 2
    for sigma, following in itertools.pairwise(ladder):
        c = 1.0 / (1.0 + sigma**2)
        if sampler is Sampler.EULER:
            variance *= (c + following / sigma * (1.0 - c)) ** 2
        else:
            variance = c**2 * variance + following**2
    error = np.sqrt(variance / count)
    assert np.abs(x.mean(0)).max() < 4 * error
    found = np.cov(x.T)
    assert np.abs(found - variance * np.eye(D)).max() < 4 * variance * np.sqrt(2 / count)


def test_the_flow_of_many_levels_ends_in_the_law_of_the_data():
    """dz/dsigma = z sigma / (1 + sigma^2): z(0) = z(most) / sqrt(1 + most^2)."""

    def best_guess(params, normaliser, z, sigma, here, before, problem):
        return skip(sigma) * z

    family, key = FAMILY, jax.random.key(2)
    found = sample(family, model(best_guess), jnp.zeros(D), key, steps=2000, sampler=Sampler.EULER)
    start = 2.0 * jax.random.normal(jax.random.split(key, 3)[0], (D,))
    np.testing.assert_allclose(found.x, start / np.sqrt(5.0), rtol=5e-3)


@pytest.mark.parametrize("probes", [False, True])
def test_gradients_are_counted_as_they_are_taken(probes):
    world = counted(FAMILY)

    def half(params, normaliser, z, sigma, here, before, problem):
        if probes:
            z = z - 0.1 * here.slope - 0.1 * before.slope
        return 0.5 * z

    given = model(half, probes=probes)
    found = []

    def run():
        found.append(sample(world.family, given, jnp.ones(D), jax.random.key(0), steps=4))
        return found[0].x

    taken = gradients_taken(world, run)
    calls = calls_of(given.denoiser, 4)
    assert taken == int(found[0].calls) == calls == (5 if probes else 0)


def test_the_best_of_samples():
    def noise_only(params, normaliser, z, sigma, here, before, problem):
        return z

    family = FAMILY
    problems = sample_problems(family, jax.random.key(3), 2)
    drawn = samples(family, model(noise_only), problems[0], jax.random.key(0), 5, steps=2)
    found = best(drawn)
    assert found.value == np.asarray(drawn.value).min()
    np.testing.assert_array_equal(found.x, drawn.x[int(np.argmin(drawn.value))])
    own = sample(
        family, model(noise_only), problems[0], jax.random.fold_in(jax.random.key(0), 3), steps=2
    )
    np.testing.assert_array_equal(own.x, drawn.x[3])  # a sample does not hang on how many there are
