"""One formula for two array libraries: JAX inside training, float64 NumPy in evaluation."""

from types import ModuleType
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

Array: TypeAlias = jax.Array | np.ndarray


def namespace(*arrays: Array) -> ModuleType:
    """Return `jax.numpy` if any argument is a JAX array or tracer, else `numpy`.

    NumPy keeps float64, which JAX does not by default: scores computed from float64 arrays lose
    no precision, while the same formula stays differentiable and compilable on JAX arrays.
    """
    return jnp if any(isinstance(x, jax.Array) for x in arrays) else np
