"""The loop: plain gradient descent, resumable, vmapped over seeds, compiled once, refuses NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.optim import Diverged, Training, adam, run, seed_keys


def gradient_descent(rate=0.1):
    """Descends |x|^2 / 2 with noise drawn from the step's key."""

    def update(key, state, data):
        return state - rate * (state - data) + 0.01 * jax.random.normal(key), {"x": state}

    return Training(lambda key: jax.random.normal(key), update)


def train(training, keys, state, **options):
    segments = list(run(training, keys, state, jnp.asarray(0.0), **options))
    return segments, segments[-1].state


def test_without_noise_it_is_the_closed_form_of_gradient_descent():
    training = Training(
        lambda key: jnp.zeros(()), lambda key, x, target: (x - 0.1 * (x - target), {"x": x})
    )
    segments = list(
        run(
            training,
            seed_keys(0, 2),
            jnp.array([1.0, 2.0]),
            jnp.asarray(5.0),
            steps=30,
            segment_steps=10,
        )
    )
    np.testing.assert_allclose(segments[-1].state, 5 + (np.array([1, 2]) - 5) * 0.9**30, rtol=1e-5)


def test_resumed_run_equals_unbroken_run_bit_for_bit():
    training, keys = gradient_descent(), seed_keys(3, 2)
    start = jax.vmap(training.init)(keys)
    segments, unbroken = train(training, keys, start, steps=25, segment_steps=10)
    _, resumed = train(
        training, keys, segments[0].state, steps=25, segment_steps=10, start=segments[0].stop
    )
    assert [s.stop for s in segments] == [10, 20, 25]
    assert np.array_equal(unbroken, resumed)


def test_seeds_in_one_program_are_the_seeds_alone():
    training = gradient_descent()
    keys = seed_keys(0, 3)
    _, together = train(training, keys, jax.vmap(training.init)(keys), steps=10, segment_steps=5)
    alone_keys = seed_keys(2, 1)
    _, alone = train(
        training, alone_keys, jax.vmap(training.init)(alone_keys), steps=10, segment_steps=5
    )
    np.testing.assert_allclose(together[2], alone[0], rtol=1e-6)


def test_update_is_traced_once_for_all_segments_of_one_length():
    traces = []

    def update(key, state, data):
        traces.append(1)
        return state + 1.0, {"x": state}

    keys = seed_keys(0, 1)
    train(Training(lambda key: 0.0, update), keys, jnp.zeros(1), steps=40, segment_steps=10)
    assert len(traces) == 1


def test_divergence_names_the_step():
    def update(key, state, data):
        return state + 1.0, {"loss": jnp.log(6.5 - state)}

    with pytest.raises(Diverged) as caught:
        train(
            Training(lambda key: 0.0, update),
            seed_keys(0, 1),
            jnp.zeros(1),
            steps=20,
            segment_steps=5,
        )
    assert (caught.value.step, caught.value.metric) == (7, "loss")


def test_close_runs_at_the_end_of_each_segment():
    training = Training(
        lambda key: 0.0,
        lambda key, state, data: (state + 1.0, {"x": state}),
        lambda state, data: (state * 10.0, {"closed": state}),
    )
    segments, state = train(training, seed_keys(0, 1), jnp.zeros(1), steps=4, segment_steps=2)
    assert [float(s.metrics["closed"][0, 0]) for s in segments] == [2.0, 22.0]
    assert float(state[0]) == 220.0


def test_adam_bounds_the_gradient_and_decays_to_zero():
    optimiser = adam(0.1, steps=10)
    params = jnp.zeros(3)
    state = optimiser.init(params)
    for _ in range(10):
        change, state = optimiser.update(jnp.full(3, 1e6), state, params)
        assert jnp.max(jnp.abs(jnp.asarray(change))) <= 0.1 + 1e-6
    change, _ = optimiser.update(jnp.ones(3), state, params)
    assert jnp.max(jnp.abs(jnp.asarray(change))) < 1e-8
