"""Sums and minima over GPUs against NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.serve.per_gpu.least import grow_minima, least, put
from lpo.serve.per_gpu.tree import Shape, add, draw, grow, holder, row, shape_for

SHAPE = shape_for(40)
CHANNELS = 3


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, (SHAPE.leaves, CHANNELS))
    rows[rng.random(SHAPE.leaves) < 0.3] = 0
    rows[40:] = 0
    return rows.astype(np.int32)


@pytest.mark.parametrize(
    ("gpus", "fan", "depth"),
    [(1, 2, 1), (2, 2, 1), (16, 16, 1), (17, 5, 2), (256, 16, 2), (257, 7, 3), (4096, 16, 3)],
)
def test_the_tree_is_as_flat_and_then_as_narrow_as_it_can_be(gpus, fan, depth):
    shape = shape_for(gpus)
    assert shape == Shape(fan, depth)
    assert shape.leaves >= gpus


def test_nodes_are_sums_of_their_children(rows):
    tree = grow(SHAPE, jnp.asarray(rows))
    assert Shape(7, 2) == SHAPE
    np.testing.assert_array_equal(tree.total, rows.sum(0))
    np.testing.assert_array_equal(tree.nodes[:7], rows.reshape(7, 7, CHANNELS).sum(1))
    np.testing.assert_array_equal(tree.nodes[SHAPE.first :], rows)


@pytest.mark.parametrize("shape", [Shape(7, 1), Shape(7, 2), Shape(4, 3)])
def test_a_change_is_felt_all_the_way_up(shape):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 9, (shape.leaves, 2)).astype(np.int32)
    tree, changed = grow(shape, jnp.asarray(rows)), jax.jit(partial(add, shape))
    for gpu in rng.integers(0, shape.leaves, 5).astype(np.int32):
        change = rng.integers(-2, 5, 2).astype(np.int32)
        rows[gpu] += change
        tree = changed(tree, gpu, change)
        np.testing.assert_array_equal(row(shape, tree, gpu), rows[gpu])
    jax.tree.map(np.testing.assert_array_equal, tree, grow(shape, jnp.asarray(rows)))


def test_every_unit_is_with_its_gpu(rows):
    tree = grow(SHAPE, jnp.asarray(rows))
    holders = jax.jit(jax.vmap(lambda channel, unit: holder(SHAPE, tree, channel, unit)))
    channels = np.repeat(np.arange(CHANNELS), rows.sum(0))
    units = np.concatenate([np.arange(total) for total in rows.sum(0)])
    held = np.concatenate([np.repeat(np.arange(SHAPE.leaves), each) for each in rows.T])
    np.testing.assert_array_equal(holders(channels, units), held)


def test_gpus_are_drawn_in_proportion_and_never_without_units(rows):
    tree = grow(SHAPE, jnp.asarray(rows))
    count = 5000
    uniform = jnp.append((jnp.arange(count) + 0.5) / count, jnp.float32(1.0 - 2.0**-24))
    found = jax.jit(jax.vmap(lambda u: draw(SHAPE, tree, 1, u)))(uniform)
    shares = np.bincount(found[:-1], minlength=SHAPE.leaves) / count
    np.testing.assert_allclose(shares, rows[:, 1] / rows[:, 1].sum(), atol=1.01 / count)
    assert rows[int(found[-1]), 1] > 0


def test_where_nothing_is_to_be_drawn_some_row_is_named():
    tree = grow(SHAPE, jnp.zeros((SHAPE.leaves, CHANNELS), jnp.int32))
    found = jax.jit(jax.vmap(lambda u: draw(SHAPE, tree, 1, u)))(jnp.array([0.0, 0.5, 0.999]))
    assert np.all((found >= 0) & (found < SHAPE.leaves))


@pytest.mark.parametrize("shape", [Shape(5, 1), Shape(5, 2), Shape(3, 3)])
def test_the_least_is_found_after_every_change(shape):
    rng = np.random.default_rng(2)
    values = rng.integers(0, 20, shape.leaves).astype(np.float32)
    values[-1] = np.inf
    nodes = grow_minima(shape, jnp.asarray(values))
    changed, found = jax.jit(partial(put, shape)), jax.jit(partial(least, shape))
    assert int(found(nodes)) == np.argmin(values)
    for gpu in rng.integers(0, shape.leaves, 8).astype(np.int32):
        values[gpu] = rng.choice([np.inf, *range(20)])
        nodes = changed(nodes, gpu, values[gpu])
        assert int(found(nodes)) == np.argmin(values)
    np.testing.assert_array_equal(nodes, grow_minima(shape, jnp.asarray(values)))
