"""Every forecaster on every scale with every head."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.forecast import (
    FORECASTERS,
    Forecaster,
    Head,
    linear_normalised,
    mlp,
    point_head,
    quantile_head,
)
from lpo.workload.windows import Scaler

CONTEXT = 7
SCALER = Scaler(mean=3e5, sd=1e5)
HEADS = [point_head(), quantile_head((0.1, 0.5, 0.95))]
SMALL = {
    "lstm": {"hidden": (6, 5), "dense": 4},
    "mlp": {"widths": (8, 8), "dropout": 0.3},
    "mixer": {"width": 6, "dropout": 0.3},
    "linear_normalised": {},
}
SCALES = [(name, scale) for name in FORECASTERS if name != "linear_normalised"
          for scale in ("raw", "window")] + [("linear_normalised", "own")]  # fmt: skip
by_scale = pytest.mark.parametrize(("name", "scale"), SCALES)
by_head = pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)


class Started(NamedTuple):
    """A forecaster, parameters away from any special start, and its compiled apply."""

    forecaster: Forecaster
    params: Any
    apply: Callable[..., jax.Array]


@functools.cache
def started(name: str, scale: str, head: Head) -> Started:
    options = {} if scale == "own" else {"normalise": scale}
    forecaster = FORECASTERS[name](SCALER, CONTEXT, head, **options, **SMALL[name])
    rng = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: 0.3 * rng.standard_normal(leaf.shape).astype(np.float32),
        jax.eval_shape(forecaster.init, jax.random.key(0)),
    )
    return Started(forecaster, params, jax.jit(forecaster.apply))


def demand(*shape):
    return np.random.default_rng(0).lognormal(12.5, 0.4, shape).astype(np.float32)


HISTORY = demand(2, 3, CONTEXT)  # one shape, so that each forecaster compiles once


@by_head
@by_scale
def test_outputs_have_the_shape_of_the_leading_axes_and_ascend(name, scale, head):
    forecaster, params, apply = started(name, scale, head)
    for leading in ((), (4,)):
        history = jax.ShapeDtypeStruct((*leading, CONTEXT), jnp.float32)
        assert jax.eval_shape(forecaster.apply, params, history).shape == (*leading, head.outputs)
    outputs = apply(params, HISTORY)
    assert outputs.shape == (2, 3, head.outputs)
    assert outputs.dtype == jnp.float32
    assert (outputs >= 0).all()
    assert (np.diff(outputs, axis=-1) >= 0).all()


@by_head
@by_scale
def test_each_window_is_forecast_on_its_own(name, scale, head):
    _, params, apply = started(name, scale, head)
    altered = HISTORY.copy()
    altered[0, 1] = altered[0, 1, ::-1]
    same = np.asarray(apply(params, altered) == apply(params, HISTORY)).all(-1)
    np.testing.assert_array_equal(same, [[True, False, True], [True, True, True]])


@by_head
@by_scale
def test_gradients_are_finite_on_ordinary_constant_and_empty_windows(name, scale, head):
    forecaster, params, apply = started(name, scale, head)
    history = HISTORY.copy()
    history[0, 0], history[0, 1] = 3e5, 0.0
    history[1, 0] = np.eye(CONTEXT)[2] * 4e6  # one burst in silence
    gradients = jax.jit(
        jax.grad(lambda *arguments: forecaster.apply(*arguments).sum(), argnums=(0, 1))
    )(params, history)
    for leaf in jax.tree.leaves((apply(params, history), gradients)):
        assert np.isfinite(leaf).all()
    assert any(np.any(leaf != 0) for leaf in jax.tree.leaves(gradients[0]))


@pytest.mark.parametrize("name", FORECASTERS)
def test_seeds_in_one_program_are_the_single_ones_and_a_key_repeats(name):
    scale = "own" if name == "linear_normalised" else "raw"
    forecaster, _, apply = started(name, scale, HEADS[0])
    keys = jax.random.key(0), jax.random.key(1), jax.random.key(0)
    params = jax.jit(jax.vmap(forecaster.init))(jnp.stack(keys))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
    together = jax.jit(jax.vmap(forecaster.apply, in_axes=(0, None)))(params, HISTORY)
    np.testing.assert_array_equal(together[0], together[2])
    second = jax.tree.map(lambda leaf: leaf[1], params)
    np.testing.assert_allclose(together[1], apply(second, HISTORY), rtol=1e-4)


@pytest.mark.parametrize("name", FORECASTERS)
def test_dropout_acts_only_with_a_key_and_repeats_with_the_same_key(name):
    _, params, apply = started(name, "own" if name == "linear_normalised" else "raw", HEADS[0])
    plain = apply(params, HISTORY)
    np.testing.assert_array_equal(plain, apply(params, HISTORY))
    noisy = apply(params, HISTORY, jax.random.key(5))
    np.testing.assert_array_equal(noisy, apply(params, HISTORY, jax.random.key(5)))
    assert np.array_equal(plain, noisy) == (name == "linear_normalised")


@by_head
@pytest.mark.parametrize(("name", "scale"), [case for case in SCALES if case[1] != "raw"])
def test_window_forecasters_are_scale_equivariant(name, scale, head):
    _, params, apply = started(name, scale, head)
    outputs = apply(params, HISTORY)
    # A power of two changes no rounding; any other factor does.
    np.testing.assert_array_equal(apply(params, 8 * HISTORY), 8 * outputs)
    factor = np.float32(3.7)
    np.testing.assert_allclose(apply(params, factor * HISTORY), factor * outputs, rtol=2e-5, atol=1)
    np.testing.assert_array_equal(apply(params, 0 * HISTORY), 0 * outputs)


def test_raw_forecasters_are_not_scale_equivariant():
    _, params, apply = started("mlp", "raw", point_head())
    ratio = apply(params, 8 * HISTORY) / apply(params, HISTORY)
    assert (jnp.abs(ratio - 8) > 0.1).any()


def test_untrained_linear_map_is_the_mean_of_the_window():
    forecaster = linear_normalised(SCALER, CONTEXT, point_head())
    history = demand(5, CONTEXT)
    forecast = forecaster.apply(forecaster.init(jax.random.key(0)), history)[..., 0]
    np.testing.assert_allclose(forecast, history.mean(-1), rtol=1e-6)


def test_untrained_linear_quantiles_are_those_of_a_normal_law():
    forecaster = linear_normalised(SCALER, CONTEXT, quantile_head((0.1, 0.5, 0.9)))
    history = demand(5, CONTEXT)
    outputs = forecaster.apply(forecaster.init(jax.random.key(0)), history)
    spread = np.asarray(history).std(-1, keepdims=True)
    expected = np.asarray(history).mean(-1, keepdims=True) + spread * [-1.2815516, 0, 1.2815516]
    np.testing.assert_allclose(outputs, np.maximum(expected, 0), rtol=1e-4)


def test_a_history_of_another_length_is_refused():
    forecaster, params, _ = started("lstm", "raw", HEADS[0])
    with pytest.raises(ValueError, match="context"):
        forecaster.apply(params, demand(2, CONTEXT + 1))


@pytest.mark.parametrize(
    ("scaler", "context", "normalise"),
    [(Scaler(0.0, 1.0), 7, "raw"), (Scaler(1.0, 0.0), 7, "raw"), (SCALER, 0, "raw"),
     (SCALER, 7, "minmax")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(scaler, context, normalise):
    with pytest.raises(InputError):
        mlp(scaler, context, point_head(), normalise=normalise)


@by_head
def test_a_horizon_gives_every_slot_its_own_ordered_outputs(head):
    """One slot's outputs are those of a plain forecaster with that slot's last-layer weights."""
    slots = 3
    long = linear_normalised(SCALER, CONTEXT, head._replace(horizon=slots))
    rng = np.random.default_rng(2)
    params = jax.tree.map(
        lambda leaf: 0.3 * rng.standard_normal(leaf.shape).astype(np.float32),
        jax.eval_shape(long.init, jax.random.key(0)),
    )
    history = demand(4, 2, CONTEXT)
    outputs = long.apply(params, history)
    assert outputs.shape == (4, 2, slots, head.outputs)
    plain = linear_normalised(SCALER, CONTEXT, head)
    for slot in range(slots):
        of = slice(slot * head.outputs, (slot + 1) * head.outputs)
        own = jax.tree.map(lambda leaf, of=of: leaf[..., of], params)
        np.testing.assert_allclose(outputs[..., slot, :], plain.apply(own, history), rtol=1e-6)


def test_a_horizon_works_on_both_scales_of_a_network():
    history = demand(4, CONTEXT)
    for scale in ("raw", "window"):
        network = mlp(SCALER, CONTEXT, point_head(5), normalise=scale, widths=(6,))
        params = network.init(jax.random.key(0))
        outputs = network.apply(params, history)
        assert outputs.shape == (4, 5, 1)
        if scale == "window":
            np.testing.assert_allclose(network.apply(params, 3 * history), 3 * outputs, rtol=1e-5)
    with pytest.raises(InputError, match="horizon"):
        point_head(0)
