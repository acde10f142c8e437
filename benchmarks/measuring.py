"""What the benchmarks share: warm timing and the one line a result."""

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import jax


def timed(function: Callable[..., Any], *args: Any) -> float:
    """Seconds of one call, its arrays ready."""
    start = perf_counter()
    jax.block_until_ready(function(*args))
    return perf_counter() - start


def measure(function: Callable[..., Any], *args: Any) -> tuple[float, float]:
    """Seconds to compile, and seconds of a warm call: the best of three."""
    start = perf_counter()
    compiled = jax.jit(function).lower(*args).compile()
    compile_s = perf_counter() - start
    return compile_s, min(timed(compiled, *args) for _ in range(3))


def report(
    name: str, unit: str, values: tuple[float, float | None], peer: str | None, setting: str
) -> None:
    """Print one JSON line; `values` are ours and the peer's (None: there is no peer)."""
    value, peer_value = values
    line = {
        "name": name,
        "value": _significant(value),
        "unit": unit,
        "peer": peer,
        "peer_value": None if peer_value is None else _significant(peer_value),
        "ratio": None if peer_value is None else _significant(value / peer_value),
        "setting": setting,
    }
    print(json.dumps(line), flush=True)


def _significant(value: float) -> float:
    """Four significant digits: times and errors differ by orders of magnitude."""
    return float(f"{value:.4g}")
