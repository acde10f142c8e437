"""Perceptrons as denoisers: symmetry, scaling, what they are told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.l2o.denoisers.coordinate import coordinate
from lpo.l2o.denoisers.denoiser import Probe
from lpo.l2o.denoisers.mlp import mlp
from lpo.l2o.families.landscapes import rastrigin
from lpo.l2o.guidance import Guidance, of_all, of_coordinates, probe
from lpo.l2o.noise import Normaliser, skip
from tests.l2o.worlds import quadratic

D = 4
PLAIN = Normaliser(jnp.zeros(D), jnp.ones(D))


def probes(seed: int) -> tuple[Probe, Probe]:
    rng = np.random.default_rng(seed)

    def one(sigma: float) -> Probe:
        z, slope = jnp.asarray(rng.normal(size=(2, D)), jnp.float32)
        return Probe(z, jnp.float32(rng.uniform(1, 9)), 30.0 * slope, jnp.float32(sigma))

    return one(0.5), one(0.9)


def shaken(params, seed=0):
    leaves, structure = jax.tree.flatten(params)
    rng = np.random.default_rng(seed)
    return jax.tree.unflatten(
        structure, [leaf + jnp.asarray(0.1 * rng.normal(size=leaf.shape)) for leaf in leaves]
    )


@pytest.mark.parametrize("make", [mlp, coordinate])
def test_an_untrained_network_is_the_linear_guess(make):
    denoiser = make(rastrigin(D), width=16)
    params, (here, before) = denoiser.init(jax.random.key(0)), probes(0)
    problem = rastrigin(D).sample(jax.random.key(1))
    sigma = jnp.float32(0.5)
    found = denoiser.apply(params, PLAIN, here.z, sigma, here, before, problem)
    np.testing.assert_allclose(found, skip(sigma) * here.z, rtol=1e-6)


def test_coordinates_are_treated_alike():
    family = rastrigin(D)
    denoiser = coordinate(family, width=16)
    params, (here, before) = shaken(denoiser.init(jax.random.key(0))), probes(1)
    order = np.array([2, 0, 3, 1])

    def permuted(at: Probe) -> Probe:
        return Probe(at.z[order], at.value, at.slope[order], at.sigma)

    problem, sigma = family.sample(jax.random.key(1)), jnp.float32(0.5)
    found = denoiser.apply(params, PLAIN, here.z, sigma, here, before, problem)
    other = denoiser.apply(
        params, PLAIN, here.z[order], sigma, permuted(here), permuted(before), problem
    )
    assert np.ptp(found - skip(sigma) * here.z) > 1e-3
    np.testing.assert_allclose(other, found[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", ["gradient", "loss", "previous", "features"])
def test_parts_that_are_off_are_not_told(part):
    parts = Guidance(scale=30.0)._replace(**{part: False})
    (here, before), features = probes(2), jnp.asarray([3.0, 4.0])
    change = {
        "gradient": (here._replace(slope=2 * here.slope), before._replace(slope=-before.slope)),
        "loss": (here._replace(value=here.value + 1), before._replace(value=before.value + 2)),
        "previous": (here, probes(3)[1]._replace(sigma=jnp.float32(2.0))),
        "features": (here, before),
    }[part]
    others = features + 1.0 if part == "features" else features
    for told in (True, False):
        own = parts if not told else Guidance(scale=30.0)
        sigma = jnp.float32(0.5)
        first, second = (of_coordinates(own, here.z, *at) for at in ((here, before), change))
        whole = [
            of_all(own, sigma, *at, given)
            for at, given in (((here, before), features), (change, others))
        ]
        same = np.array_equal(first, second) and np.array_equal(whole[0], whole[1])
        assert same is not told


def test_a_probe_is_the_objective_and_its_gradient_in_normal_coordinates():
    family = quadratic((1.0, 2.0, 3.0))
    normaliser = Normaliser(jnp.asarray([1.0, 2.0, 3.0]), jnp.asarray([0.5, 2.0, 4.0]))
    z, b = jnp.asarray([0.3, -1.0, 2.0]), jnp.asarray([1.0, 0.0, -1.0])
    found = probe(family, normaliser, z, jnp.float32(0.1), b)
    x = normaliser.mean + normaliser.std * z
    np.testing.assert_allclose(
        found.slope, normaliser.std * (jnp.arange(1.0, 4.0) * x - b), rtol=1e-5
    )
    assert float(found.value) == pytest.approx(float(family.objective(x, b)))


@pytest.mark.parametrize("make", [mlp, coordinate])
def test_sizes_below_one_are_refused(make):
    with pytest.raises(InputError, match="must be at least 1, got 0"):
        make(rastrigin(D), width=0)
