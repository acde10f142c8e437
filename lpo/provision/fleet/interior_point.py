"""A primal-dual interior point for a batch of scaled fleet problems.

Mehrotra's predictor and corrector (SIAM J. Optim. 2, 1992) on the eliminated system of `newton`;
arrays are time first, batch last. docs/convex_layer.md has the formulas and the stopping rule.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.provision.fleet.newton import (
    Data,
    Factors,
    Pairs,
    earlier,
    factorise,
    later,
    solve,
    stiffness,
)

TARGET = 1e-13  # complementarity aimed at, relative: decides which pairs are active
MAX_ITERATIONS = 50
BOUNDARY = 0.995  # share of the way to the boundary
POLISHES = 3  # Newton steps on the active set at the end
SECOND_ORDER = 3.0  # most of the corrector's term, in units of the multiplier


class Point(NamedTuple):
    """Slacks, multipliers of the inequalities, multipliers of the balance [H, B]."""

    slack: Pairs
    dual: Pairs
    y: Array


class State(NamedTuple):
    """State of the interior point; everything but `iteration` has the batch last."""

    point: Point
    running: Array
    residual: Array  # of the linear equations, relative, as predicted by the last step
    worst: Array  # largest product of a slack and its multiplier
    iteration: Array


def _accumulate(kinds: str, row: Callable[..., tuple], trees: Any) -> tuple[Array, ...]:
    """Reduce functions of one slot over slots and configurations, to [B] each.

    kinds: one letter a result, `m`aximum or `s`um. row: maps the trees' slices of a slot to one
    tuple of arrays [K, B] or [B] a result. A loop over slots that carries [K, B]: XLA's own
    reductions on a CPU do not vectorise over the batch, and dominate the iteration.
    """
    combines = [jnp.maximum if kind == "m" else jnp.add for kind in kinds]

    def reduce_row(slices: Any) -> tuple[Array, ...]:
        parts = []
        for combine, arrays in zip(combines, row(*slices), strict=True):
            wide = reduce(combine, [x for x in arrays if x.ndim == 2])
            flat = [x for x in arrays if x.ndim == 1]
            # [B] enters the first configuration only, which is right for a sum and a maximum.
            parts.append(wide.at[0].set(reduce(combine, flat, wide[0])) if flat else wide)
        return tuple(parts)

    first = reduce_row(jax.tree.map(lambda x: x[0], trees))
    totals, _ = jax.lax.scan(
        lambda carry, slices: (
            tuple(f(c, x) for f, c, x in zip(combines, carry, reduce_row(slices), strict=True)),
            None,
        ),
        first,
        jax.tree.map(lambda x: x[1:], trees),
    )
    return tuple(reduce(f, list(x)) for f, x in zip(combines, totals, strict=True))


def _largest(tree: Any) -> Array:
    return _accumulate("m", lambda row: (jax.tree.leaves(row),), (tree,))[0]


def _start(data: Data) -> Point:
    """A point inside all inequalities: what the linear equations ask for, but one at least."""
    wide = jnp.ones((data.demand.shape[0], *data.capacity.shape))
    flat = jnp.ones_like(data.demand)
    least = lambda x: jnp.maximum(x, 1.0) * wide  # noqa: E731
    first = wide[:1] * jnp.maximum(data.initial, 1.0)
    slack = Pairs(
        wide,
        wide,
        wide,
        flat,
        wide,
        jnp.concatenate([first, wide[1:]]),
        None if data.limit is None else least(data.limit - 1),
    )
    dual = Pairs(
        least(data.price),
        least(data.energy),
        least(data.startup),
        jnp.maximum(data.unserved, 1.0) * flat,
        wide,
        wide,
        None if data.limit is None else wide / least(data.limit),
    )
    return Point(slack, dual, flat)


class Residuals(NamedTuple):
    """Stationarity of n, q, s, u and feasibility of the linear equations."""

    n: Array
    q: Array
    s: Array
    u: Array
    a: Array
    t: Array
    balance: Array
    b: Array | None


def _residuals(data: Data, point: Point) -> Residuals:
    x, z, y = point
    n = data.price + data.curve_n * x.n - z.n - data.capacity * z.a + z.t - later(z.t)
    return Residuals(
        n if z.b is None else n + z.b,
        data.energy + data.curve_q * x.q - z.q + z.a - y[:, None],
        data.startup + data.curve_s * x.s - z.s - z.t,
        data.unserved + data.curve_u * x.u - z.u - y,
        data.capacity * x.n - x.q - x.a,
        x.s - x.n + earlier(x.n, data.initial) - x.t,
        data.demand - x.q.sum(1) - x.u,
        None if x.b is None or data.limit is None else data.limit - x.n - x.b,
    )


def _relative(data: Data, row: Residuals) -> list[Array]:
    """Absolute residuals of one slot over the size of the data."""
    size = lambda x: 1 + jnp.max(jnp.abs(x), axis=0)  # noqa: E731
    sizes = Residuals(
        size(data.price),
        size(data.energy),
        size(data.startup),
        1 + jnp.abs(data.unserved),
        jnp.ones_like(data.unserved),
        size(data.initial),
        jnp.ones_like(data.unserved),
        None if data.limit is None else size(data.limit),
    )
    return jax.tree.leaves(jax.tree.map(lambda r, scale: jnp.abs(r) / scale, row, sizes))


def _worst(point: Point) -> Array:
    """Largest product of a slack and its multiplier, [B]."""
    return _largest(jax.tree.map(jnp.multiply, point.slack, point.dual))


def _direction(
    data: Data, factors: Factors, residuals: Residuals, weight: Pairs, centre: Pairs
) -> tuple[Pairs, Array]:
    """Newton direction of the slacks and y; `centre`: complementarity target over slack."""
    r = residuals
    right_n = centre.n - r.n + data.capacity * centre.a - centre.t + later(centre.t)
    if weight.b is not None and centre.b is not None and r.b is not None:
        right_n = right_n - centre.b + weight.b * r.b
    right = right_n, centre.q - centre.a - r.q, centre.s + centre.t - r.s, centre.u - r.u
    step = solve(data, factors, right, (r.a, r.t, r.balance))
    b = None if r.b is None else r.b - step.n
    return Pairs(step.n, step.q, step.s, step.u, step.a, step.t, b), step.y


def _iterate(data: Data, state: State) -> State:
    """One predictor-corrector step of the problems that still run; the others stay as they are."""
    x, z, y = state.point
    residuals = _residuals(data, state.point)
    inverse = jax.tree.map(lambda v: 1 / v, x)
    weight = jax.tree.map(jnp.multiply, z, inverse)
    factors = factorise(data, weight)

    affine, _ = _direction(data, factors, residuals, weight, jax.tree.map(jnp.negative, z))
    # Along it the relative change of a multiplier is -1 minus that of its slack.
    change = jax.tree.map(jnp.multiply, affine, inverse)
    product = jax.tree.map(jnp.multiply, x, z)
    grow, shrink, total, second, residual = _accumulate(
        "mmssm",
        lambda change, product, residuals: (
            jax.tree.leaves(change),
            [-c for c in jax.tree.leaves(change)],
            jax.tree.leaves(product),
            jax.tree.leaves(jax.tree.map(lambda p, c: -p * c * (1 + c), product, change)),
            _relative(data, residuals),
        ),
        (change, product, residuals),
    )
    length = jnp.minimum(1.0, 1 / jnp.maximum(1 + grow, shrink))
    count = sum(v[..., 0].size for v in jax.tree.leaves(x))
    # The product along the step: (1 - length) of it, plus the second-order term.
    reached = jnp.clip((1 - length) + length**2 * second / total, 0.0, 1.0)
    target = total / count * reached**3

    # The second-order term is bounded where a slack grows many times over: without it predictor and
    # corrector fell into a cycle of two points (one of 3000 rolling plans).
    centre = jax.tree.map(
        lambda i, z, c: target * i - z * (1 - jnp.minimum(c + c * c, SECOND_ORDER)),
        inverse,
        z,
        change,
    )
    dx, dy = _direction(data, factors, residuals, weight, centre)
    dz = jax.tree.map(lambda c, w, d: c - w * d, centre, weight, dx)
    (fastest,) = _accumulate(
        "m",
        lambda dx, inverse, dz, z: (
            [-d * i for d, i in zip(jax.tree.leaves(dx), jax.tree.leaves(inverse), strict=True)]
            + [-d / v for d, v in zip(jax.tree.leaves(dz), jax.tree.leaves(z), strict=True)],
        ),
        (dx, inverse, dz, z),
    )
    length = jnp.minimum(1.0, BOUNDARY / jnp.maximum(fastest, 1e-300))
    # Rounding has taken over once the residual is far above what the last step left: further steps
    # only spoil the point.
    spoiled = (residual > 10 * jnp.maximum(state.residual, 10 * TARGET)) & (state.worst < 1e-9)
    sound = state.running & jnp.isfinite(fastest) & jnp.isfinite(dy).all(0) & ~spoiled
    move = lambda v, d: jnp.where(sound, v + length * d, v)  # noqa: E731
    point = Point(jax.tree.map(move, x, dx), jax.tree.map(move, z, dz), move(y, dy))

    # The linear residuals shrink by exactly 1 - length; they are measured in the next step.
    residual = jnp.where(sound, (1 - length) * residual, state.residual)
    worst = _worst(point)
    running = sound & ((worst > TARGET) | (residual > TARGET))
    return State(point, running, residual, worst, state.iteration + 1)


def _measured(data: Data, point: Point) -> Array:
    """Largest relative KKT residual of a point whose slacks and multipliers are not negative."""
    residuals = _residuals(data, point)
    (linear,) = _accumulate("m", lambda row: (_relative(data, row),), (residuals,))
    return jnp.maximum(linear, _worst(point))


def _polished(data: Data, point: Point) -> tuple[Point, Array]:
    """The point with its active set's equations solved, where that is better; and its residual.

    Near a kink rounding stops the iteration at products of 1e-10, that is, at slacks of 1e-5. A
    Newton step on the active set (v = 0 where z > v, z = 0 elsewhere; Hintermueller, Ito and
    Kunisch, SIAM J. Optim. 13, 2002) has no such weights, and corrects the set for the next.
    """

    def improve(_: Any, carry: tuple[Point, Point, Array]) -> tuple[Point, Point, Array]:
        (x, z, y), best, residual = carry
        active = jax.tree.map(lambda v, z: z > v, x, z)
        stiff = stiffness(data)
        weight = jax.tree.map(lambda on: jnp.where(on, stiff, 0.0), active)
        centre = jax.tree.map(lambda on, v, z: jnp.where(on, -stiff * v, -z), active, x, z)
        residuals = _residuals(data, Point(x, z, y))
        dx, dy = _direction(data, factorise(data, weight), residuals, weight, centre)
        dz = jax.tree.map(lambda c, w, d: c - w * d, centre, weight, dx)
        x, z = (jax.tree.map(jnp.add, *pair) for pair in ((x, dx), (z, dz)))
        trial = Point(x, z, y + dy)
        x, z = (jax.tree.map(lambda v: jnp.maximum(v, 0.0), pairs) for pairs in (x, z))
        inside = Point(x, z, trial.y)
        measured = _measured(data, inside)
        better = measured < residual
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), inside, best)
        return trial, best, jnp.where(better, measured, residual)

    _, best, residual = jax.lax.fori_loop(
        0, POLISHES, improve, (point, point, _measured(data, point))
    )
    return best, residual


def interior_point(data: Data) -> tuple[Point, Array, Array]:
    """The solution, its largest relative KKT residual and weakest complementarity gap, [B] each."""
    on = jnp.ones_like(data.unserved, bool)
    unknown = jnp.full(on.shape, jnp.inf)
    state = State(_start(data), on, unknown, unknown, jnp.array(0, jnp.int32))
    state = jax.lax.while_loop(
        lambda s: s.running.any() & (s.iteration < MAX_ITERATIONS),
        lambda s: _iterate(data, s),
        state,
    )
    point, residual = _polished(data, state.point)
    gap = -_largest(jax.tree.map(lambda v, z: -jnp.maximum(v, z), point.slack, point.dual))
    return point, residual, gap
