"""A tree of minima over GPUs, numbered as the tree of sums: the least in log n steps."""

import jax.numpy as jnp
from jax import Array, lax

from lpo.serve.per_gpu.tree import Shape


def grow_minima(shape: Shape, values: Array) -> Array:
    """Return the nodes [nodes] over the values [leaves] of all GPUs, without the root."""
    levels = [values]
    for _ in range(shape.depth - 1):
        levels.append(levels[-1].reshape(-1, shape.fan).min(1))
    return jnp.concatenate(levels[::-1])


def put(shape: Shape, nodes: Array, gpu: Array, value: Array) -> Array:
    """Return the nodes after the value of one GPU has changed."""
    # computed from the nodes before they are written to, or XLA copies all of them
    nodes, gpu, value = lax.optimization_barrier((nodes, gpu, value))
    leaf, *above = shape.path(gpu)
    nodes = nodes.at[leaf].set(value, mode="promise_in_bounds")
    for node in above:
        nodes, value = lax.optimization_barrier((nodes, _children(shape, nodes, node).min()))
        nodes = nodes.at[node].set(value, mode="promise_in_bounds")
    return nodes


def least(shape: Shape, nodes: Array) -> Array:
    """Return the GPU with the least value, the first of several; int32 []."""
    node = jnp.int32(-1)
    for _ in range(shape.depth):
        smallest = jnp.argmin(_children(shape, nodes, node)).astype(jnp.int32)
        node = shape.fan * (node + 1) + smallest
    return node - shape.first


def _children(shape: Shape, nodes: Array, node: Array) -> Array:
    return lax.dynamic_slice(nodes, (shape.fan * (node + 1),), (shape.fan,))
