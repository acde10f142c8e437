"""Derivatives of the relaxed cost with respect to limits that bind, against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.allocate.instance import Instance, InstanceData, check_instance
from lpo.allocate.model.relaxation import make_relaxation
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import budget

LIMITS = [  # field, and the numbers that make it bind: without them no limit does
    ("delay_limit_ms", {"delay_limit_ms": [45.0, 70.0]}),
    ("impact_delay", {"delay_limit_ms": [45.0, 70.0]}),
    ("impact_error", {"error_limit": [0.09, 0.09]}),
    ("unmet_cap", {"unmet_usd": [0.2, 0.2]}),
    ("budget_usd", {"budget_usd": 26.5}),
    ("storage_gb", {"storage_gb": 10.0}),
]


@pytest.fixture(autouse=True)
def x64():
    """For the process: callbacks run in threads that do not see a block of `enable_x64`."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def loose() -> Instance:
    """Two types, models, tiers: old GPUs are cheaper and slower, the large model errs less."""
    data = InstanceData(
        weights_gb=[8.0, 18.0],
        kv_gb_per_token=[0.004, 0.01],
        memory_gb=[16.0, 40.0],
        compute_tflops=[60.0, 150.0],
        price_usd_per_hour=[0.6, 2.0],
        tier_limit=[np.inf, np.inf],
        input_tokens=[60.0, 100.0],
        output_tokens=[40.0, 100.0],
        arrivals_per_hour=[10.0, 20.0],
        tflop_per_kilotoken=[0.8, 0.7],
        data_per_token=[0.001, 0.002],
        delay_usd_per_ms=[0.004, 0.003],
        unmet_usd=[5.0, 6.0],
        unmet_cap=[0.1, 0.05],
        delay_limit_ms=[200.0, 500.0],
        error_limit=[0.2, 0.2],
        delay_ms_per_token=[[[0.9, 0.4], [1.7, 0.8]], [[0.8, 0.45], [1.5, 0.7]]],
        delay_deviation=[[[0.3, 0.1], [0.5, 0.3]], [[0.25, 0.15], [0.45, 0.2]]],
        error_rate=[[[0.09, 0.08], [0.04, 0.05]], [[0.1, 0.09], [0.05, 0.03]]],
        error_deviation=[[[0.03, 0.02], [0.02, 0.015]], [[0.04, 0.025], [0.01, 0.02]]],
        residency_h=np.full((2, 2, 2), 0.1),
        storage_gb=100.0,
        storage_usd_per_gb_hour=0.01,
        budget_usd=200.0,
        rental_hours=10.0,
        impact_delay=[[0.5, 0.1], [0.25, 0.2]],
        impact_error=[[0.1, 0.5], [0.3, 0.25]],
    )
    names = (("chat", "code"), ("small", "large"), ("old", "new"))
    return check_instance(Instance("loose", *names, (1, 2), 1.0, 1.0, data))


@pytest.mark.parametrize("gamma", [1.5, np.inf])
def test_gradients_of_limits_that_bind_are_those_of_finite_differences(gamma):
    instance, rng, step = loose(), np.random.default_rng(0), 1e-4
    relaxation = make_relaxation(
        instance, budget(gamma, gamma), make_options(decision_dependent=True)
    )
    value_and_gradient = jax.jit(jax.value_and_grad(lambda data: relaxation(data).cost))
    for field, changes in LIMITS:
        data = InstanceData(*(jnp.asarray(part) for part in instance.data))
        data = data._replace(
            **{name: jnp.asarray(np.asarray(value)) for name, value in changes.items()}
        )
        base = getattr(data, field)
        towards = base * rng.uniform(0.5, 1.0, base.shape)  # all looser, so that nothing cancels
        ends = [
            value_and_gradient(data._replace(**{field: base + s * towards}))[0]
            for s in (step, -step)
        ]
        slope = float(ends[0] - ends[1]) / (2 * step)
        found = float(jnp.sum(getattr(value_and_gradient(data)[1], field) * towards))
        assert found < -0.1, field  # $; it binds
        assert found == pytest.approx(slope, rel=1e-4), field
