"""Learned proximal layers before they have learned, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.classical.method import path
from lpo.l2o.classical.proximal import ista
from lpo.l2o.denoisers.unrolled import unrolled
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.families.lasso import lasso
from lpo.l2o.noise import Normaliser, from_normal, skip
from tests.l2o.worlds import counted, gradients_taken, quadratic

D = 12


@pytest.mark.parametrize("fixed", [True, False])
def test_the_first_network_is_ista(fixed):
    family = lasso(6, D, fixed=fixed)
    denoiser = unrolled(family, 4)
    normaliser = Normaliser(jnp.linspace(-1.0, 1.0, D), jnp.full(D, 0.3))
    problem, z, sigma = family.sample(jax.random.key(0)), jnp.arange(D) / 5.0, jnp.float32(0.7)
    params = denoiser.init(jax.random.key(1))
    found = denoiser.apply(params, normaliser, z, sigma, None, None, problem)
    start = from_normal(normaliser, skip(sigma) * z)
    steps = path(family, ista(family), problem, start, 4)
    np.testing.assert_allclose(from_normal(normaliser, found), steps.last, rtol=1e-4, atol=1e-5)


def test_each_layer_takes_a_gradient():
    world = counted(quadratic())
    denoiser = unrolled(world.family, 3)
    plain, ones = Normaliser(jnp.zeros(2), jnp.ones(2)), jnp.ones(2)
    params = denoiser.init(jax.random.key(0))
    taken = gradients_taken(
        world,
        lambda: denoiser.apply(params, plain, ones, jnp.float32(1.0), None, None, ones),
    )
    assert taken == denoiser.calls == 3


def test_what_has_no_proximal_step_is_refused():
    with pytest.raises(InputError, match="rastrigin_2 has no proximal step"):
        unrolled(rastrigin(2))
    with pytest.raises(InputError, match="`layers` must be at least 1, got 0"):
        unrolled(lasso(6, D), 0)
