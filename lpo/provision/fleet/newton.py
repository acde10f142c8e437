"""The KKT system of the relaxed fleet problem, eliminated by hand to one H x H matrix.

Arrays are time first, batch last: [H, K, B], [H, B], [K, B], [B]. The elimination, and why no step
of it subtracts close numbers, is in docs/convex_layer.md.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Data(NamedTuple):
    """A batch of scaled problems; the `curve_*` are second derivatives, twice the ridges.

    demand [H, B]; capacity, price, energy, startup, initial [K, B]; unserved, curve_n, curve_q,
    curve_s, curve_u [B]; limit [K, B], or None where the program has no limits.
    """

    demand: Array
    capacity: Array
    price: Array
    energy: Array
    startup: Array
    initial: Array
    unserved: Array
    limit: Array | None
    curve_n: Array
    curve_q: Array
    curve_s: Array
    curve_u: Array


class Pairs(NamedTuple):
    """One array for each kind of inequality: its slack, its multiplier, or a weight.

    n, q, s >= 0 [H, K, B]; u >= 0 [H, B]; a = capacity n - q; t = s - n + n[t-1]; b = limit - n,
    None without limits.
    """

    n: Array
    q: Array
    s: Array
    u: Array
    a: Array
    t: Array
    b: Array | None


class Factors(NamedTuple):
    """What the elimination leaves: E, theta and phi of the notes, T_k = L D L', Cholesky of S."""

    stiff_q: Array  # E_q
    stiff_s: Array  # E_s
    inverse_q: Array  # 1 / (E_q + w_a)
    inverse_s: Array  # 1 / (E_s + w_t)
    inverse_u: Array  # 1 / E_u
    theta: Array  # w_a / (E_q + w_a)
    phi: Array  # w_t / (E_s + w_t)
    coupling: Array  # theta capacity
    inverse_pivot: Array  # 1 / D
    ratio: Array  # g[t+1] / D[t], minus the off-diagonal of L
    cholesky: Array  # [B, H, H]


class Step(NamedTuple):
    """Solution of the eliminated system, a and t not by subtraction, so good to rounding."""

    n: Array
    q: Array
    s: Array
    u: Array
    a: Array
    t: Array
    y: Array


def later(x: Array) -> Array:
    """x[t+1], zero after the last slot."""
    return jnp.concatenate([x[1:], jnp.zeros_like(x[:1])])


def earlier(x: Array, first: Array) -> Array:
    """x[t-1], `first` before the first slot."""
    return jnp.concatenate([first[None], x[:-1]])


def stiffness(data: Data) -> Array:
    """Weight [B] that holds an active pair at zero: 1e13 of the largest curvature.

    The elimination never cancels, so that more would do no harm; at 1e10 gradients that are zero
    came out at 1e-6.
    """
    return 1e13 * jnp.maximum(jnp.maximum(data.curve_n, data.curve_q), data.curve_s)


def factorise(data: Data, weight: Pairs) -> Factors:
    """Eliminate q, a, s, t and n for the given weights (multiplier over slack, all >= 0)."""
    stiff_q = data.curve_q + weight.q
    inverse_q = 1 / (stiff_q + weight.a)
    theta = weight.a * inverse_q
    h = theta * stiff_q
    stiff_s = data.curve_s + weight.s
    inverse_s = 1 / (stiff_s + weight.t)
    phi = weight.t * inverse_s
    g = phi * stiff_s
    inverse_u = 1 / (data.curve_u + weight.u)
    own = data.curve_n + weight.n + h * data.capacity**2
    if weight.b is not None:
        own = own + weight.b

    following = later(g)
    inverse_pivot = _pivots(own, g, following)
    ratio = following * inverse_pivot
    coupling = theta * data.capacity
    diagonal = inverse_q.sum(1) + inverse_u
    schur = _schur(coupling, inverse_pivot, ratio, diagonal)
    cholesky = jax.lax.linalg.cholesky(schur, symmetrize_input=False)
    return Factors(
        stiff_q,
        stiff_s,
        inverse_q,
        inverse_s,
        inverse_u,
        theta,
        phi,
        coupling,
        inverse_pivot,
        ratio,
        cholesky,
    )


def _pivots(own: Array, g: Array, following: Array) -> Array:
    """1 / D of T = L D L'; D[t] = own[t] + g[t] (1 - g[t] / D[t-1]) + g[t+1], all terms >= 0."""

    def advance(share: Array, row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        own, g, following = row
        part = own + g * share
        inverse = 1 / (part + following)
        return part * inverse, inverse  # share = 1 - g[t+1] / D[t], without the subtraction

    return jax.lax.scan(advance, jnp.ones_like(own[0]), (own, g, following))[1]


def _schur(coupling: Array, inverse_pivot: Array, ratio: Array, diagonal: Array) -> Array:
    """S = diag + sum_k c T_k^{-1} c as [B, H, H], lower triangle; backwards over its columns.

    The inverse has (T^{-1})[t, t] = 1/D[t] + ratio[t]^2 (T^{-1})[t+1, t+1], and left of it
    (T^{-1})[j, i] = ratio[i] (T^{-1})[j, i+1].
    """
    slots = jnp.arange(coupling.shape[0])

    def back(carry: tuple[Array, Array], row: tuple[Array, ...]) -> tuple[tuple, Array]:
        column, corner = carry
        inverse, ratio, c, slot = row
        corner = inverse + ratio**2 * corner
        column = jax.lax.dynamic_update_index_in_dim(column * ratio, c * corner, slot, 0)
        return (column, corner), (column * c).sum(1)

    start = (jnp.zeros_like(coupling), jnp.zeros_like(coupling[0]))
    _, columns = jax.lax.scan(
        back, start, (inverse_pivot, ratio, coupling, slots), reverse=True
    )  # [column, row, B]
    added = jnp.where((slots[:, None] == slots)[..., None], diagonal[:, None], 0.0)
    return (columns + added).transpose(2, 1, 0)


def _solve_fleet(factors: Factors, right: Array) -> Array:
    """T_k^{-1} right for every k: one sweep forwards, one backwards."""

    last = right.shape[0] - 1
    take = lambda x, t: jax.lax.dynamic_index_in_dim(x, t, 0, keepdims=False)  # noqa: E731
    put = lambda x, row, t: jax.lax.dynamic_update_index_in_dim(x, row, t, 0)  # noqa: E731

    def forwards(t: Array, x: Array) -> Array:
        return put(x, take(x, t) + take(factors.ratio, t - 1) * take(x, t - 1), t)

    def backwards(i: Array, x: Array) -> Array:
        t = last - 1 - i
        value = take(x, t) * take(factors.inverse_pivot, t)
        return put(x, value + take(factors.ratio, t) * take(x, t + 1), t)

    x = jax.lax.fori_loop(1, last + 1, forwards, right)
    x = put(x, x[last] * factors.inverse_pivot[last], last)
    return jax.lax.fori_loop(0, last, backwards, x)


def _solve_balance(factors: Factors, right: Array) -> Array:
    """S^{-1} right, [H, B]."""
    lower, columns = factors.cholesky, right.T[..., None]
    half = jax.lax.linalg.triangular_solve(lower, columns, left_side=True, lower=True)
    return jax.lax.linalg.triangular_solve(
        lower, half, left_side=True, lower=True, transpose_a=True
    )[..., 0].T


def solve(
    data: Data,
    factors: Factors,
    right: tuple[Array, Array, Array, Array],
    residual: tuple[Array, Array, Array] | None = None,
) -> Step:
    """Solve for (n, q, s, u) and the balance dual y.

    right: right-hand sides of the stationarity rows of n, q, s, u once a, t, b are substituted.
    residual: of capacity (a), start (t) and balance rows; None for zeros.
    """
    f = factors
    right_n, right_q, right_s, right_u = right
    held_q, held_s, balance = right_q, right_s, -f.inverse_u * right_u
    served = f.inverse_q * right_q
    if residual is not None:
        slack_a, slack_t, missing = residual
        held_q = held_q - f.stiff_q * slack_a
        held_s = held_s + f.stiff_s * slack_t
        balance = balance + missing
        served = served + f.theta * slack_a
    start = f.phi * held_s
    fleet = _solve_fleet(f, right_n + data.capacity * f.theta * held_q + start - later(start))
    y = _solve_balance(f, balance - (f.coupling * fleet + served).sum(1))
    n = fleet + _solve_fleet(f, f.coupling * y[:, None])

    change = n - earlier(n, jnp.zeros_like(n[0]))
    return Step(
        n=n,
        q=f.coupling * n + f.inverse_q * y[:, None] + served,
        s=f.inverse_s * right_s + f.phi * (change if residual is None else change - residual[1]),
        u=f.inverse_u * (right_u + y),
        a=f.inverse_q * (f.stiff_q * data.capacity * n - held_q - y[:, None]),
        t=f.inverse_s * (held_s - f.stiff_s * change),
        y=y,
    )
