"""Seeds side by side or one after another: what each alone gives, with shared and own data."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.optim import Training, over_seeds, run, seed_keys

SEEDS = 3


class Data(NamedTuple):
    """`rows` are shared by all seeds, of `own` each has one; `absent` is no array at all."""

    rows: Any
    own: Any
    absent: Any = None


DATA = Data(jnp.linspace(-1.0, 1.0, 7), {"centre": jnp.array([1.0, 2.0, 4.0]), "width": jnp.eye(3)})
AXES = Data(rows=None, own=0, absent=None)


def of_seed(i):
    return DATA._replace(own=jax.tree.map(lambda leaf: leaf[i], DATA.own))


@pytest.mark.parametrize("one_by_one", [False, True])
def test_every_seed_gets_what_all_share_and_its_own(one_by_one):
    def function(x, data, factor):
        assert data.absent is None
        nearest = jnp.argmin(jnp.abs(data.rows - x))
        return {"sum": x + factor * data.own["centre"], "picked": data.own["width"][nearest]}

    x = jnp.array([-0.7, 0.0, 0.4])
    seeds = over_seeds(function, (0, AXES, None), one_by_one)
    found = jax.jit(seeds)(x, DATA, 10.0)
    for i in range(SEEDS):
        alone = function(x[i], of_seed(i), 10.0)
        jax.tree.map(
            lambda every, one, i=i: np.testing.assert_array_equal(every[i], one), found, alone
        )


def update(key, state, data):
    """Stochastic descent on the distance of a random row to the seed's centre."""
    row = data.rows[jax.random.randint(key, (), 0, len(data.rows))]
    gap = state["x"] - data.own["centre"] - row
    return {"x": state["x"] - 0.1 * gap, "steps": state["steps"] + 1}, {"gap": gap}


def close(state, data):
    return state | {"x": 2 * state["x"]}, {"centre": data.own["centre"]}


@pytest.fixture(scope="module")
def alone():
    """State and gaps of each seed after two segments of three steps, by a plain loop."""
    step, finished = jax.jit(update), []
    for i in range(SEEDS):
        state, gaps = {"x": jnp.asarray(0.1 * i), "steps": jnp.asarray(0)}, []
        for count in range(6):
            key = jax.random.fold_in(jax.random.PRNGKey(5 + i), count)
            state, metrics = step(key, state, of_seed(i))
            gaps.append(metrics["gap"])
            if count % 3 == 2:
                state, _ = close(state, of_seed(i))
        finished.append((state, np.array(gaps)))
    return finished


@pytest.mark.parametrize("one_by_one", [False, True])
def test_trained_together_they_are_the_seeds_alone(one_by_one, alone):
    training = Training(lambda key: None, update, close)
    state = {"x": 0.1 * jnp.arange(SEEDS), "steps": jnp.zeros(SEEDS, int)}
    keys, options = seed_keys(5, SEEDS), {"data_axes": AXES, "one_by_one": one_by_one}
    segments = list(run(training, keys, state, DATA, steps=6, segment_steps=3, **options))
    gaps = np.concatenate([segment.metrics["gap"] for segment in segments], axis=1)
    for i, (state, expected) in enumerate(alone):
        np.testing.assert_allclose(gaps[i], expected, rtol=1e-5)
        np.testing.assert_allclose(segments[-1].state["x"][i], state["x"], rtol=1e-5)
        assert segments[-1].state["steps"][i] == state["steps"] == 6
    for segment in segments:
        np.testing.assert_array_equal(segment.metrics["centre"], DATA.own["centre"][:, None])
