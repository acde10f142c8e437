"""The border between JAX and a solver that runs on the host in float64 NumPy."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.optim.backend import Backend, LayerSolution
from lpo.optim.canonical import ConeProgram


class HostSolution(NamedTuple):
    """Solutions of a batch: x [B, n], z [B, m] multipliers, active [B, m] rows with z > s.

    status [B] int32 (`Status`), residual [B], gap [B] as in `LayerSolution`. Where no point came
    back, x and z are NaN and the residual is infinite.
    """

    x: np.ndarray
    z: np.ndarray
    active: np.ndarray
    status: np.ndarray
    residual: np.ndarray
    gap: np.ndarray


class HostSolver(NamedTuple):
    """`solve(theta [B, p]) -> HostSolution`; `adjoint(theta, solution, cotangent [B, n])` [B, p],
    the gradient of sum(cotangent * x) with respect to theta.

    Both in float64 and NumPy alone: a callback that calls JAX can deadlock.
    """

    solve: Callable[[np.ndarray], HostSolution]
    adjoint: Callable[[np.ndarray, HostSolution, np.ndarray], np.ndarray]


def callback_backend(name: str, program: ConeProgram, host: HostSolver) -> Backend:
    """A `Backend` that calls `host` once for a whole batch, however many `vmap`s are nested.

    At the border arrays have the dtype of the parameters (float32 with x64 off). Between the
    forward and the backward pass which rows are active crosses as booleans, so that rounding to
    float32 decides nothing. The gradient of a problem that was not solved is zero.
    """

    def call(theta: Array) -> tuple[Array, ...]:
        def on_host(theta: np.ndarray) -> tuple[np.ndarray, ...]:
            theta = np.asarray(theta)
            lead, rows = theta.shape[:-1], theta.reshape(-1, theta.shape[-1])
            found = host.solve(rows.astype(np.float64))
            return tuple(
                np.asarray(part, dtype).reshape((*lead, *part.shape[1:]))
                for part, dtype in zip(found, dtypes, strict=True)
            )

        real = theta.dtype
        dtypes = (real, real, np.bool_, np.int32, real, real)
        shapes = ((program.n,), (program.m,), (program.m,), (), (), ())
        results = tuple(
            jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True)
        )
        return jax.pure_callback(on_host, results, theta, vmap_method="broadcast_all")

    @jax.custom_vjp
    def solve(theta: Array) -> tuple[Array, ...]:
        x, _, _, status, residual, gap = call(theta)
        return x, status, residual, gap

    def forward(theta: Array):
        found = call(theta)
        x, _, _, status, residual, gap = found
        return (x, status, residual, gap), (theta, found)

    def backward(saved, cotangents):
        theta, found = saved

        def on_host(theta: np.ndarray, cotangent: np.ndarray, *found: np.ndarray) -> np.ndarray:
            theta, cotangent = np.asarray(theta), np.asarray(cotangent)
            real = [theta.reshape(-1, theta.shape[-1]), cotangent.reshape(-1, cotangent.shape[-1])]
            real = [part.astype(np.float64) for part in real]
            lead = theta.ndim - 1
            parts = [np.asarray(part) for part in found]
            flat = [part.reshape((-1, *part.shape[lead:])) for part in parts]
            flat = [p.astype(np.float64) if p.dtype.kind == "f" else p for p in flat]
            gradient = host.adjoint(real[0], HostSolution(*flat), real[1])
            return gradient.astype(theta.dtype).reshape(theta.shape)

        result = jax.ShapeDtypeStruct(theta.shape, theta.dtype)
        return (
            jax.pure_callback(
                on_host, result, theta, cotangents[0], *found, vmap_method="broadcast_all"
            ),
        )

    solve.defvjp(forward, backward)

    def backend(*params: Array) -> LayerSolution:
        x, status, residual, gap = solve(_stack(program, params))
        values = tuple(x[index] for index in program.variables)
        return LayerSolution(values, status, residual, gap)

    return Backend(name, backend)


def _stack(program: ConeProgram, params: tuple[Array, ...]) -> Array:
    """theta [p] of one problem in the common floating dtype of its parameters."""
    dtype = jnp.result_type(jnp.float32, *params)
    parts = [jnp.zeros(0, dtype)]
    for i in program.order:
        value = jnp.asarray(params[i], dtype)
        if program.symmetric[i]:
            value = (value + value.T) / 2
        parts.append(value.reshape(-1)[program.parameters[i]])
    return jnp.concatenate(parts)
