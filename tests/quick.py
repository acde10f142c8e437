"""Programs compiled quickly: most of those in the tests take longer to compile than to run."""

from functools import partial
from typing import Any

import jax

OPTIONS: Any = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_parallel_codegen_split_count": 1,
}

jit = partial(jax.jit, compiler_options=OPTIONS)
"""`jax.jit` for the outermost function of a test: a program of 3D-Learning compiles six times as
fast as with it, and runs half as fast."""
