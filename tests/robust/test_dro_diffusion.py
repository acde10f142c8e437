"""3D-Learning as a whole: limits in which it must be something simpler, and reproducibility."""

from typing import Any

import jax
import numpy as np
import pytest

from lpo import robust, workload
from lpo.optim import run, seed_keys


def train(tiny, nominal, seeds=1, epochs=2, **options):
    adversary = robust.make_adversary(
        tiny.model,
        tiny.sde,
        tiny.grid,
        workload.linear_space(tiny.scaler).to_tokens,
        tiny.layout.window,
        tiny.loss,
        robust.AdversarySettings(paths=64, draws=64, inner_steps=3, learning_rate=1e-3),
    )
    sizes: dict[str, Any] = {"samples": 64, "batch": 64}
    imagination = robust.adversarial_imagination(adversary)
    inner = robust.mixed(imagination, tiny.loss, **(sizes | options))
    training = robust.outer_epochs(inner, tiny.loss, epochs=epochs, predictor_steps=20)
    keys = seed_keys(0, seeds)
    params = jax.vmap(tiny.predictor.init)(keys)
    theta, coefs = jax.tree.map(
        lambda x: np.broadcast_to(x, (seeds, *np.shape(x))), (nominal.theta, nominal.coefs)
    )
    each = robust.Nominal(theta, coefs, nominal.windows)
    data = robust.RobustData(tiny.windows, each)
    axes = robust.data_axes(data)
    state = jax.vmap(training.init, in_axes=(0, 0, axes))(keys, params, data)
    return list(
        run(training, keys, state, data, steps=epochs, segment_steps=1, data_axes=axes)
    )


@pytest.fixture(scope="module")
def imagined(tiny, nominal):
    """Six epochs on imagined windows alone."""
    return train(tiny, nominal, epochs=6, mix=1.0)


def test_adversarial_windows_cost_more_and_the_predictor_learns_from_them(imagined):
    for segment in imagined:
        assert segment.metrics["worst_case_loss"] > segment.metrics["nominal_loss"]
    nominal_losses = [float(segment.metrics["nominal_loss"][0, 0]) for segment in imagined]
    assert nominal_losses[-1] < nominal_losses[0]


def test_same_keys_give_the_same_bits(tiny, nominal, imagined):
    again = train(tiny, nominal, epochs=6, mix=1.0)
    for a, b in zip(
        jax.tree.leaves(imagined[-1].state), jax.tree.leaves(again[-1].state), strict=True
    ):
        assert np.array_equal(a, b)


def test_without_mixing_the_predictor_sees_real_windows_only(tiny, nominal):
    """It then reaches what plain empirical risk minimisation reaches in as many steps."""
    robustly = train(tiny, nominal, epochs=6, mix=0.0)[-1]
    training = robust.empirical_risk(tiny.predictor, tiny.loss, steps=120, batch=64)
    keys = seed_keys(0, 1)
    plainly = list(
        run(
            training,
            keys,
            jax.vmap(training.init)(keys, jax.vmap(tiny.predictor.init)(keys)),
            tiny.windows,
            steps=120,
            segment_steps=20,
        )
    )[-1]
    np.testing.assert_allclose(
        robustly.metrics["validation_loss"], plainly.metrics["validation_loss"], rtol=0.05
    )
