"""Programs compiled quickly: most of those in the tests take longer to compile than to run."""

from functools import partial
from threading import Lock
from typing import Any

import jax
from jax.core import Tracer

OPTIONS: Any = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}

FLAGS = " ".join(
    f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
    for name, value in OPTIONS.items()
)
"""The same for processes that a test starts, in XLA_FLAGS: a small run of the main job takes half
the time."""

jit = partial(jax.jit, compiler_options=OPTIONS)
"""`jax.jit` for the outermost function of a test: a program of 3D-Learning compiles six times as
fast as with it, and runs half as fast."""


LONG: Any = OPTIONS | {"xla_backend_optimization_level": 2, "xla_cpu_use_fusion_emitters": True}
"""Of a program that runs for so long here that it is worth more to make it faster."""


def program(function: Any, *static: int, options: Any = OPTIONS) -> Any:
    """A function of the package, or what it has compiled, to put in its place: the same, compiled
    quickly. As it was where it becomes part of a larger program, whose options count.

    static: places of its static arguments.
    """
    plain = getattr(function, "__wrapped__", function)
    quick: Any = jax.jit(plain, static_argnums=static, compiler_options=options)
    one_at_a_time = Lock()  # threads that want a program that is not there yet each compile it

    def run(*given: Any) -> Any:
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(given)):
            return function(*given)
        with one_at_a_time:
            return quick(*given)

    run._cache_size = quick._cache_size  # pyright: ignore[reportFunctionMemberAccess]
    return run
