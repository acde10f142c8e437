"""Data parallelism: batches are split over devices; parameters are on every device.

The functions of a training are written for whole arrays. A constraint on its batches is all that
tells the compiler to split the work; it adds the sums over devices where a mean needs them. Random
draws do not depend on the split (`jax_threefry_partitionable`), so neither do results, up to the
order of sums. docs/scaling.md has what was measured.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lpo.errors import InputError

PyTree = Any
AXIS = "data"

Shard = Callable[..., Any]
"""`shard(tree, axis=0) -> tree`: every leaf split along `axis`; None: a copy on every device."""


def unsharded(tree: PyTree, axis: int | None = 0) -> PyTree:
    """The `Shard` of one device: the tree itself."""
    del axis
    return tree


def data_mesh(devices: int = 1) -> Mesh | None:
    """The first `devices` devices in a row, the axis called `data`; None for one device.

    **Raises:** `InputError` when there are fewer.
    """
    check_devices(devices)
    return None if devices == 1 else Mesh(np.array(jax.devices()[:devices]), (AXIS,))


def check_devices(devices: int) -> None:
    """Refuse to use no device, or more than there are. Raises `InputError`.

    Asks for the devices only where several are wanted: that starts JAX's back end.
    """
    if devices < 1:
        raise InputError(f"devices: {devices} given; allowed: at least 1")
    if devices > 1 and devices > len(jax.devices()):
        there = jax.devices()
        count = f"1 {there[0].platform} device" if len(there) == 1 else f"{len(there)} devices"
        remedy = (
            f"; XLA_FLAGS=--xla_force_host_platform_device_count={devices} splits the CPU"
            if there[0].platform == "cpu"
            else ""
        )
        raise InputError(f"devices: {devices} given, {count} found{remedy}")


def batch_sharding(mesh: Mesh | None) -> Shard:
    """The `Shard` of a mesh, for use inside `jit`; `unsharded` where there is none.

    Along the axis that it splits, an array must have a multiple of the mesh's size. Under `vmap`
    the axis is counted without the mapped one.
    """
    if mesh is None:
        return unsharded

    def shard(tree: PyTree, axis: int | None = 0) -> PyTree:
        spec = PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, AXIS)
        return jax.lax.with_sharding_constraint(tree, NamedSharding(mesh, spec))

    return shard


def replicate(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays copied to every device of the mesh; the tree itself where there is none."""
    return tree if mesh is None else jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
