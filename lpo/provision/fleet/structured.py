"""The structured solver of the relaxed fleet problem, with its exact derivative.

Mathematics, measurements and what the gradient is at a kink: docs/convex_layer.md.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.errors import InputError
from lpo.optim.backend import Backend, LayerSolution, Status
from lpo.provision.fleet.interior_point import interior_point
from lpo.provision.fleet.newton import Data, Pairs, factorise, solve, stiffness

GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, without their whole part, are all apart
CHUNK = 128  # problems side by side; more would leave the cache
# Demands that are equal in neighbouring slots leave multipliers free and the derivative undecided.
# Each slot has its own small part of the largest demand added, the same whatever the demands are.
TIE_BREAK = 2e-7

NAMES = ("demand", "capacity", "price", "energy", "startup", "initial", "unserved", "limit")


class Scales(NamedTuple):
    """Units in which a problem has numbers of size one, [B] each: tokens, replicas, dollars."""

    tokens: Array
    replicas: Array
    dollars: Array


class Saved(NamedTuple):
    """What the backward pass needs, batch first. `weight`: active or not, or smoothed weights."""

    params: tuple[Array, ...]
    weight: Pairs
    fleet: Array
    dual_a: Array
    failed: Array


class Rules(NamedTuple):
    """The solver's fixed options."""

    ridge_n: float
    ridge_other: float
    tolerance: float
    smoothing: float | None


def _prepare(rules: Rules, params: tuple[Array, ...]) -> tuple[Data, Scales, Array, Array]:
    """Scaled problems, their scales, and which rows are finite and feasible; params batch first."""
    rows = [jnp.moveaxis(p.astype(float), 0, -1) for p in params]
    limited = len(rows) == len(NAMES)
    over = lambda x: tuple(range(x.ndim - 1))  # noqa: E731
    finite = reduce(jnp.logical_and, [jnp.isfinite(x).all(over(x)) for x in rows[:7]])
    feasible = (rows[0] >= 0).all(0)
    if limited:
        finite &= ~jnp.isnan(rows[7]).any(0)
        feasible &= (rows[7] >= 0).all(0)
    # Rows without a solution become a harmless problem, so that they slow or spoil no other.
    harmless = (1.0, 1.0, 1.0, 0.1, 0.1, 0.0, 2.0, 1e3)
    usable = finite & feasible
    d, capacity, price, energy, startup, initial, unserved, *limit = (
        jnp.where(usable, x, value) for x, value in zip(rows, harmless, strict=False)
    )

    largest = jnp.max(jnp.abs(capacity), axis=0)
    largest = jnp.where(largest > 0, largest, 1.0)
    tokens = jnp.maximum(d.max(0), 1e-3 * largest)
    replicas = tokens / largest
    served = (jnp.abs(price) + jnp.abs(startup)) / jnp.abs(capacity) + jnp.abs(energy)
    curves = 2 * rules.ridge_n * replicas**2, 2 * rules.ridge_other * tokens**2
    dollars = tokens * jnp.minimum(jnp.abs(unserved), served.min(0)) + sum(curves)
    bound = None
    if limited:
        # An absent limit is one that cannot bind: no more than serves the largest demand alone.
        enough = 10 * (tokens / jnp.abs(capacity) + jnp.abs(initial)) + 1e3 * replicas
        bound = jnp.minimum(limit[0], jnp.minimum(enough, 1e8 * replicas)) / replicas
    curve_n, curve_q = curves[0] / dollars, curves[1] / dollars
    curve_s = 2 * rules.ridge_other * replicas**2 / dollars
    slots = jnp.arange(1, d.shape[0] + 1)[:, None]
    data = Data(
        d / tokens + TIE_BREAK * (slots * GOLDEN % 1.0),
        capacity * (replicas / tokens),
        price * (replicas / dollars),
        energy * (tokens / dollars),
        startup * (replicas / dollars),
        initial / replicas,
        unserved * (tokens / dollars),
        bound,
        curve_n,
        curve_q,
        curve_s,
        curve_q,
    )
    return data, Scales(tokens, replicas, dollars), finite, feasible


def _computed_once(params: tuple[Array, ...]) -> tuple[Array, ...]:
    """The same values, as the result of a branch.

    XLA may repeat the caller's float32 arithmetic in every kernel that uses its result, rounded
    differently in each, and no point solves two problems: residuals of 1e-7 on a linear forecast.
    It removes an optimisation barrier before it fuses on a CPU, but not a branch, whose result
    exists once. Where the demand is not finite either branch says so.
    """
    undefined = jnp.isnan(params[0]).all()
    return jax.lax.cond(undefined, lambda p: jax.tree.map(jnp.negative, p), lambda p: p, params)


def _forward(rules: Rules, params: tuple[Array, ...]) -> tuple[LayerSolution, Saved]:
    """Solve a chunk, arrays batch first in the caller's dtype."""
    with jax.enable_x64(True):
        data, scales, finite, feasible = _prepare(rules, _computed_once(params))
        point, residual, gap = interior_point(data)
        x, z, _ = point
        good = finite & jnp.isfinite(residual)
        status = jnp.where(residual <= rules.tolerance, Status.SOLVED, Status.INACCURATE)
        status = jnp.where(good, jnp.where(feasible, status, Status.INFEASIBLE), Status.FAILED)
        solved = finite & feasible
        units = (scales.replicas, scales.tokens, scales.replicas, scales.tokens)
        values = [
            jnp.where(solved, v * unit, jnp.nan) for v, unit in zip(x[:4], units, strict=True)
        ]
        diagnostics = [jnp.where(solved, v, jnp.nan) for v in (residual, gap)]
        if rules.smoothing is None:
            weight = _active(data, x, z)
        else:
            # The pair with the same difference on the hyperbola slack times multiplier = mu.
            mu = rules.smoothing
            weight = jax.tree.map(lambda v, z: _smooth(z - v, mu) / _smooth(v - z, mu), x, z)
        dtype = params[0].dtype
        first = lambda v: jnp.moveaxis(v, -1, 0)  # noqa: E731
        real = lambda v: first(v).astype(dtype)  # noqa: E731
        solution = LayerSolution(
            tuple(real(v) for v in values), status.astype(jnp.int32), *map(real, diagnostics)
        )
        if rules.smoothing is None:
            weight = jax.tree.map(first, weight)
        else:
            weight = jax.tree.map(real, weight)
        return solution, Saved(params, weight, real(x.n), real(z.a), status >= Status.INFEASIBLE)


def _active(data: Data, x: Pairs, z: Pairs) -> Pairs:
    """Which pairs hold with equality: multiplier above slack, without those that others imply.

    Dropping an implied one changes no derivative where the solution map has one. Where a
    configuration is unused (n = q = s = a = t = 0) it decides for a growing initial fleet.
    """
    active = jax.tree.map(lambda v, z: z > v, x, z)
    # No replica, no service: of q >= 0 and q <= capacity n the one that pushes harder stays.
    empty = active.q & active.a
    served = empty & (z.a > z.q)
    # From no initial replica to a few: they stop (t opens), or they run where that pays.
    unused = active.n[0] & active.s[0] & active.t[0]
    spare = jnp.minimum(z.q[0], z.a[0])  # undecided between q and a
    stop = unused & (z.n[0] + data.capacity * spare > z.t[0])
    return active._replace(
        n=active.n.at[0].set(active.n[0] & (stop | ~unused)),
        q=active.q & ~served,
        a=active.a & ~(empty & ~served),
        t=active.t.at[0].set(active.t[0] & ~stop),
    )


def _smooth(difference: Array, mu: float) -> Array:
    """Positive root v of v - mu / v = difference, without cancellation."""
    root = jnp.sqrt(difference**2 + 4 * mu)
    return jnp.where(difference > 0, (root + difference) / 2, 2 * mu / (root - difference))


def _backward(rules: Rules, saved: Saved, cotangents: tuple[Array, ...]) -> tuple[Array, ...]:
    """Gradients with respect to the parameters of a chunk, arrays batch first.

    The negative of the solution of the KKT system, with the cotangents on the right, is the
    gradient of the linear costs; its y part that of the demand; the forces of the inequalities
    (weight times slack) those of capacities, initial fleet and limits.
    """
    with jax.enable_x64(True):
        data, scales, _, _ = _prepare(rules, saved.params)
        last = lambda v: jnp.moveaxis(v, 0, -1).astype(float)  # noqa: E731
        weight = jax.tree.map(last, saved.weight)
        if rules.smoothing is None:
            weight = jax.tree.map(lambda active: active * stiffness(data), weight)
        tokens, replicas, dollars = scales
        units = (replicas, tokens, replicas, tokens)
        n, q, s, u = (last(g) * unit for g, unit in zip(cotangents, units, strict=True))
        right = (n, q, s, u)
        step = solve(data, factorise(data, weight), right)
        pressure = (last(saved.dual_a) * step.n - weight.a * step.a * last(saved.fleet)).sum(0)
        gradients = [
            -step.y / tokens,
            pressure * replicas / tokens,
            -step.n.sum(0) * replicas / dollars,
            -step.q.sum(0) * tokens / dollars,
            -step.s.sum(0) * replicas / dollars,
            -(weight.t * step.t)[0] / replicas,
            -step.u.sum(0) * tokens / dollars,
        ]
        if weight.b is not None:
            gradients.append((weight.b * step.n).sum(0) / replicas)
        asked = reduce(jnp.logical_or, [(g != 0).any(tuple(range(g.ndim - 1))) for g in right])
        lost = last(saved.failed).astype(bool)
        gradients = [jnp.where(lost, jnp.where(asked, jnp.nan, 0.0), g) for g in gradients]
        dtype = saved.params[0].dtype
        return tuple(jnp.moveaxis(g, -1, 0).astype(dtype) for g in gradients)


def _batched(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a function of one batch axis do its work in chunks and absorb every `vmap` into it."""

    def chunked(tree: Any) -> Any:
        size = jax.tree.leaves(tree)[0].shape[0]
        chunks = math.ceil(size / CHUNK)
        if chunks <= 1:
            return function(tree)
        each = math.ceil(size / chunks)
        index = jnp.minimum(jnp.arange(chunks * each), size - 1).reshape(chunks, each)
        split = jax.tree.map(lambda x: x[index], tree)
        joined = jax.lax.map(function, split)
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:size], joined)

    mapped = jax.custom_batching.custom_vmap(chunked)

    @mapped.def_vmap
    def merge(axis_size: int, in_batched: Any, tree: Any) -> tuple[Any, Any]:
        full = jax.tree.map(
            lambda x, batched: x if batched else jnp.broadcast_to(x, (axis_size, *x.shape)),
            tree,
            in_batched[0],
        )
        out = mapped(jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), full))
        out = jax.tree.map(lambda x: x.reshape(axis_size, -1, *x.shape[1:]), out)
        return out, jax.tree.map(lambda _: True, out)

    return mapped


def structured_backend(
    *,
    ridge_n: float = 1e-2,
    ridge_other: float = 1e-4,
    limited: bool = False,
    tolerance: float = 1e-7,
    smoothing: float | None = None,
) -> Backend:
    """Return the structured solver of the relaxed fleet problem as a differentiable `Backend`.

    solve(demand [H] tokens, capacity [K] tokens a slot and replica, price [K] $ a slot and replica,
    energy [K] $ a token, startup [K] $ a start, initial [K] replicas, unserved () $ a token) gives
    n, q, s [H, K] and u [H] that minimise

        sum(price n) + sum(energy q) + sum(startup s) + unserved sum(u)
          + ridge_n |n|^2 + ridge_other (|q|^2 + |s|^2 + |u|^2)

    over n, q, s, u >= 0, q <= capacity n, sum_k q + u = demand and s[t] >= n[t] - n[t-1], with
    n[-1] = initial; limited: an eighth parameter limit [K], possibly infinite, with n <= limit.

    Float64 inside, the caller's dtype outside; every `vmap` becomes one batch. Reverse mode gives
    the gradient with respect to every parameter. At a kink (two multipliers of a pair near zero,
    see `gap`) it is that of one side. Status: FAILED where an input is not finite, INFEASIBLE where
    a demand or limit is negative, INACCURATE where the relative KKT residual is above `tolerance`.
    A row that is FAILED or INFEASIBLE is NaN, and so are its gradients unless its cotangent is 0.
    smoothing: None, or a mu > 0 that replaces the active set in the backward pass by the weights of
    a relaxed complementarity, slack times multiplier = mu, in scaled units: a smooth gradient, and
    a biased one, away from kinks too.
    Raises InputError on an option that is not positive, and where `solve` is given wrong shapes.
    """
    for name, value in (
        ("ridge_n", ridge_n),
        ("ridge_other", ridge_other),
        ("tolerance", tolerance),
        ("smoothing", 1.0 if smoothing is None else smoothing),
    ):
        if not (value > 0 and math.isfinite(value)):
            raise InputError(f"`{name}` must be positive and finite, got {value}.")
    rules = Rules(float(ridge_n), float(ridge_other), float(tolerance), smoothing)
    forward = _batched(lambda params: _forward(rules, params))
    backward = _batched(lambda pair: _backward(rules, *pair))

    def one(function: Callable[[Any], Any], tree: Any) -> Any:
        return jax.tree.map(lambda x: x[0], function(jax.tree.map(lambda x: x[None], tree)))

    @jax.custom_vjp
    def optimise(params: tuple[Array, ...]) -> LayerSolution:
        return one(forward, params)[0]

    optimise.defvjp(
        lambda params: one(forward, params),
        lambda saved, cotangent: (one(backward, (saved, tuple(cotangent.values))),),
    )

    def solution(*params: Any) -> LayerSolution:
        arrays = tuple(jnp.asarray(p, float) for p in params)
        _check_shapes(arrays, limited)
        return optimise(arrays)

    return Backend("structured", solution)


def _check_shapes(params: Sequence[Array], limited: bool) -> None:
    names = NAMES if limited else NAMES[:-1]
    shapes = [p.shape for p in params]
    if len(params) != len(names):
        raise InputError(f"`solve` takes {', '.join(names)}, got {len(params)} arrays.")
    slots = params[0].size
    kinds = params[1].size
    expected = [(slots,), *[(kinds,)] * 5, (), (kinds,)][: len(names)]
    if shapes != expected or slots == 0 or kinds == 0:
        wanted = "demand [H], unserved () and all others [K], H and K at least 1"
        raise InputError(f"`solve` needs {wanted}; got {dict(zip(names, shapes, strict=True))}.")
