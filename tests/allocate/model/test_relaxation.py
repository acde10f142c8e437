"""The relaxation against published values, a second solver and finite differences."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.allocate.instance import InstanceData
from lpo.allocate.model.program import build
from lpo.allocate.model.relaxation import make_relaxation
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import Ellipsoid, Uncertainty, budget
from lpo.errors import InputError


@pytest.fixture(autouse=True)
def x64():
    """For the process: callbacks run in threads that do not see a block of `enable_x64`."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def arrays(data: InstanceData) -> InstanceData:
    return InstanceData(*(jnp.asarray(part) for part in data))


@pytest.mark.parametrize("name", ["small", "default"])
def test_value_is_the_published_one(rodiu_cases, rodiu_root, name, by_linprog):
    published = json.loads((rodiu_root / f"instance_{name}.json").read_text())
    expected = published["lp_relaxation_corrected"]
    instance = rodiu_cases(name)[0].instance
    cost = float(
        make_relaxation(instance, budget(np.inf, np.inf), ridge=1e-4)(arrays(instance.data)).cost
    )
    assert cost == pytest.approx(expected, rel=1e-5)
    assert by_linprog(build(instance)) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.5])
def test_the_largest_degree_is_enough_for_every_budget(rodiu_cases, gamma, by_linprog):
    """The proof is in docs/allocate.md: all degrees, by SciPy, have the same value."""
    instance, sets = rodiu_cases("small")[0].instance, budget(gamma, gamma)
    cost = float(make_relaxation(instance, sets, ridge=1e-5)(arrays(instance.data)).cost)
    assert cost == pytest.approx(by_linprog(build(instance, uncertainty=sets)), rel=1e-4)


@pytest.mark.parametrize("gamma", [np.inf, 0.5, 2.0])
def test_gradients_are_those_of_finite_differences(rodiu_cases, gamma):
    instance = rodiu_cases("small")[0].instance
    relaxation = make_relaxation(instance, budget(gamma, gamma))
    rng, step = np.random.default_rng(0), 1e-4
    data = arrays(instance.data)
    value = jax.jit(lambda data: relaxation(data).cost)
    gradient = jax.jit(jax.grad(value))(data)
    for field in ("price_usd_per_hour", "arrivals_per_hour", "error_limit", "error_rate"):
        base = getattr(data, field)
        towards = base * rng.normal(size=base.shape)
        ends = [value(data._replace(**{field: base + s * towards})) for s in (step, -step)]
        slope = float(ends[0] - ends[1]) / (2 * step)
        found = float(jnp.sum(getattr(gradient, field) * towards))
        assert found == pytest.approx(slope, rel=1e-4), field


def test_gradients_of_the_decision_and_a_batch(rodiu_cases):
    instance = rodiu_cases("small")[0].instance
    relaxation = make_relaxation(instance, budget(np.inf, np.inf))

    def rented(price):
        data = arrays(instance.data)._replace(price_usd_per_hour=price)
        return relaxation(data).replicas

    price = jnp.asarray(instance.data.price_usd_per_hour)
    prices = price * jnp.array([[1.0], [1.001], [0.999]])
    batch = jax.jit(jax.vmap(rented))(prices)
    slope = (batch[1] - batch[2]) / 0.002
    jacobian = jax.jacrev(rented)(price)
    np.testing.assert_allclose(jacobian @ price, slope, atol=2e-4 * np.abs(slope).max())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"profile": "reference"}, "profile"),
        ({"single_placement": True}, "single_placement"),
        ({"replicas": 2}, "replicas"),
    ],
)
def test_what_has_no_relaxation_is_refused(tiny, options, named):
    with pytest.raises(InputError, match=named):
        make_relaxation(tiny[0], options=make_options(**options))


def test_ellipsoids_and_negative_ridges_are_refused(tiny):
    sets = Uncertainty(Ellipsoid(1.0), Ellipsoid(1.0))
    with pytest.raises(InputError, match="ellipsoids"):
        make_relaxation(tiny[0], sets)
    with pytest.raises(InputError, match="ridge"):
        make_relaxation(tiny[0], ridge=-1.0)
