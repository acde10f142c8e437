"""A tree of sums over GPUs, from which one is drawn in proportion to a count in log n steps.

Every GPU has a row of whole numbers, its channels; a node has the sums of its children. Integers,
so that sums never drift and no GPU without units is ever drawn.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

_WIDEST = 16  # children of a node, which are read together


class Shape(NamedTuple):
    """A tree of `depth` levels below the root with `fan` children each, for fan^depth GPUs.

    Nodes without the root are numbered from the top, as in a heap: those below the root from 0 on,
    the children of node v from fan (v + 1) on, the GPUs last.
    """

    fan: int
    depth: int

    @property
    def leaves(self) -> int:
        """Rows for GPUs, of which some may be unused."""
        return self.fan**self.depth

    @property
    def first(self) -> int:
        """The node of the first GPU."""
        return sum(self.fan**level for level in range(1, self.depth))

    def path(self, gpu: Array) -> list[Array]:
        """Return the node of a GPU and those above it."""
        nodes = [self.first + gpu]
        for _ in range(self.depth - 1):
            nodes.append(nodes[-1] // self.fan - 1)
        return nodes


class Tree(NamedTuple):
    """total [channels] of the root and nodes [nodes, channels], int32.

    Apart, because XLA copies an array that is read after it was written to, and totals are read
    all the time.
    """

    total: Array
    nodes: Array


def shape_for(gpus: int) -> Shape:
    """Return the least depth with at most 16 children a node, and then the fewest children."""
    depth = 1
    while _WIDEST**depth < gpus:
        depth += 1
    fan = next(fan for fan in range(2, _WIDEST + 1) if fan**depth >= gpus)
    return Shape(fan, depth)


def grow(shape: Shape, rows: Array) -> Tree:
    """Return the tree over the rows [leaves, channels] of all GPUs."""
    levels = [rows]
    for _ in range(shape.depth):
        levels.append(levels[-1].reshape(-1, shape.fan, rows.shape[-1]).sum(1))
    return Tree(levels[-1][0], jnp.concatenate(levels[-2::-1]))


def row(shape: Shape, tree: Tree, gpu: Array) -> Array:
    """Return the channels of one GPU."""
    return tree.nodes[shape.first + gpu]


def add(shape: Shape, tree: Tree, gpu: Array, change: Array) -> Tree:
    """Return the tree after `change` [channels] of one GPU."""
    # computed from the nodes before they are written to, or XLA copies all of them
    nodes, gpu, change = lax.optimization_barrier((tree.nodes, gpu, change))
    path = jnp.stack(shape.path(gpu))
    return Tree(tree.total + change, nodes.at[path].add(change, mode="promise_in_bounds"))


def draw(shape: Shape, tree: Tree, channel: Array | int, uniform: Array) -> Array:
    """Return a GPU in proportion to its `channel`; int32 []. uniform []: in [0, 1)."""
    return holder(shape, tree, channel, rank(tree.total[channel], uniform))


def rank(total: Array, uniform: Array) -> Array:
    """Return a whole number in 0 ... total - 1, and 0 if there is none; int32 []."""
    return jnp.clip((uniform * total).astype(jnp.int32), 0, jnp.maximum(total - 1, 0))


def holder(shape: Shape, tree: Tree, channel: Array | int, unit: Array) -> Array:
    """Return the GPU that holds a unit of the channel, units counted from 0 in the order of the
    GPUs; some GPU or unused row where there are not that many. int32 []."""
    node = jnp.int32(-1)
    for _ in range(shape.depth):
        below = shape.fan * (node + 1)
        counts = lax.dynamic_slice(tree.nodes, (below, channel), (shape.fan, 1))[:, 0]
        upto = jnp.cumsum(counts)[:-1]
        passed = upto <= unit
        unit = unit - jnp.max(jnp.where(passed, upto, 0), initial=0)
        node = below + passed.sum(dtype=jnp.int32)
    return node - shape.first
