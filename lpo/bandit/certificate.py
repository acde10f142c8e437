"""Where logs may be wrong, direction by direction. docs/bandit.md, "Certificates"."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import fdtri

from lpo.errors import InputError

_PSD = 1e-9  # eigenvalues below minus this share of the greatest make a matrix indefinite


class Certificate(NamedTuple):
    """The bias theta_off - theta is a sum of one vector from each part's ellipsoid,
    {Q^(1/2) v : |v| <= 1}; in a direction that Q does not reach there is none.

    budgets: Q, [m, g, c, c] for m parts and g blocks of c features. Parts add up, which is how
    bounds on several groups of features, each on its own, are said without a factor. Blocks are
    bounded each on its own.

    arXiv 2604.24016 says (M, rho) for Q = rho^2 M^+, and calls it a shift certificate (v1) or a
    directional bias certificate (v2).
    """

    budgets: jax.Array

    @property
    def shape(self) -> tuple[int, int]:
        """Blocks and features a block."""
        return self.budgets.shape[1], self.budgets.shape[2]


def ellipsoid(matrix: Any, rho: float, cap: float) -> Certificate:
    """Return that the bias Delta keeps Delta' M Delta <= rho^2, for M [d, d].

    Where M is singular the bias is at most `cap`: B + B_off, as it always is (`Assumptions.cap`).
    A bounded subspace beside such a capped one is a part of its own. Raises InputError unless M is
    symmetric, finite and positive semidefinite, and rho and cap not negative.
    """
    matrix = _symmetric("matrix", matrix)
    _sizes(rho=rho, cap=cap)
    value, vector = np.linalg.eigh(matrix)
    known = value > _PSD * max(value[-1], 0.0)
    inside = (vector[:, known] * (rho**2 / value[known])) @ vector[:, known].T
    if known.all():
        return certificate_of([inside])
    rest = vector[:, ~known] @ vector[:, ~known].T
    return certificate_of([cap**2 * rest] if not known.any() else [inside, cap**2 * rest])


def euclidean(rho: float, dimension: int) -> Certificate:
    """Return that the bias has a norm of at most rho, and any direction.

    Raises InputError unless rho is finite and not negative.
    """
    _sizes(rho=rho)
    return certificate_of([rho**2 * np.eye(dimension)])


def subspace(basis: Any, inside: float, outside: float) -> Certificate:
    """Return that the bias is at most `inside` in the span of `basis` [d, r], `outside` across it.

    Raises InputError unless the columns are independent and finite, and both not negative.
    """
    basis = np.asarray(basis, np.float64)
    if basis.ndim != 2 or not np.isfinite(basis).all():
        raise InputError(f"`basis` must be finite, [d, r], got the shape {basis.shape}.")
    if np.linalg.matrix_rank(basis) < basis.shape[1]:
        raise InputError("`basis` must have independent columns.")
    _sizes(inside=inside, outside=outside)
    whole = np.linalg.qr(basis, mode="complete")[0]
    along, across = np.split(whole, [basis.shape[1]], axis=1)
    parts = [inside**2 * along @ along.T, outside**2 * across @ across.T]
    return certificate_of([part for part in parts if part.any()] or parts[:1])


def blocks(budgets: Sequence[float], dimension: int, joint: bool = False) -> Certificate:
    """Return that in each block of `dimension` features the norm of the bias is at most a budget.

    joint: all blocks are features that arms share, [m, 1, d, d] with d = m x dimension; otherwise
    each block is an arm's own, [1, g, c, c]. Raises InputError unless budgets are finite and not
    negative, and there is one.
    """
    each = np.asarray(budgets, np.float64)
    if each.ndim != 1 or not len(each):
        raise InputError(f"`budgets` must be [blocks], got the shape {each.shape}.")
    _sizes(**{f"budgets[{i}]": float(budget) for i, budget in enumerate(each)})
    one = np.eye(dimension)
    if not joint:
        return Certificate(jnp.asarray(each[None, :, None, None] ** 2 * one))
    parts = [
        np.kron(np.diag(np.arange(len(each)) == i), one) * budget**2
        for i, budget in enumerate(each)
        if budget > 0.0
    ]
    return certificate_of(parts or [np.zeros((len(each) * dimension,) * 2)])


def no_certificate(cap: float, blocks: int, dimension: int) -> Certificate:
    """Return that nothing is known but that each block's bias has a norm of at most `cap`
    (`Assumptions.cap`). Raises InputError unless it is finite and not negative."""
    _sizes(cap=cap)
    every = np.broadcast_to(np.eye(dimension), (1, blocks, dimension, dimension))
    return Certificate(jnp.asarray(cap**2 * every))


def claims_something(certificate: Certificate, cap: float) -> bool:
    """Whether a certificate allows less, in a direction of a block, than a bias of norm `cap`: more
    than `no_certificate` says."""
    together = np.asarray(certificate.budgets, np.float64).sum(0)
    return bool(np.linalg.eigvalsh(together).min() < cap**2 * (1.0 - 1e-6))


def from_past_shifts(shifts: Any, level: float = 0.95) -> Certificate:
    """Return what earlier changes say of the next one: Q = c S, S = mean of delta delta'.

    **Arguments:**

    - `shifts`: theta_before - theta_after of n earlier changes, [n, d] of features that arms share,
      [n, K, d] of arms with features of their own, each of which has an ellipsoid.
    - `level`: probability with which the bias lies in it, over the earlier and the next change
      together; of K arms all of them (each at 1 - (1 - level) / K). The rest comes on top of
      `Assumptions.delta`.

    With c = d n / (n - d + 1) times the quantile of F(d, n - d + 1) this is exact for every n >= d,
    if all changes are drawn alike and independently from N(0, Sigma), Sigma unknown: Delta' S^-1
    Delta is Hotelling's T^2. c falls to the chi-square quantile of d as n grows. Changes that were
    estimated, with normal errors of their own, make it wider than need be (Anderson's inequality:
    the next change spreads less than they do). A change of another kind than the earlier ones is
    not covered: audit it.

    **Raises:** InputError on another shape, numbers that are not finite, a level outside (0, 1),
    fewer changes than d, and changes that do not span all directions.
    """
    given = np.asarray(shifts, np.float64)
    if given.ndim not in (2, 3) or not np.isfinite(given).all():
        raise InputError(f"`shifts` must be finite, [n, d] or [n, K, d], got {given.shape}.")
    if not 0.0 < level < 1.0:
        raise InputError(f"`level` must be between 0 and 1, got {level}.")
    each = given[:, None] if given.ndim == 2 else given
    n, count, d = each.shape
    if n < d or not count or not d:
        raise InputError(f"`shifts` must be at least as many as features, {d}, got {n}.")
    second = np.einsum("ngc,ngd->gcd", each, each) / n
    if (np.linalg.matrix_rank(second, hermitian=True) < d).any():
        raise InputError("`shifts` must span all directions of each arm's features.")
    quantile = fdtri(d, n - d + 1, 1.0 - (1.0 - level) / count)
    return Certificate(jnp.asarray(d * n / (n - d + 1) * quantile * second[None]))


def from_change_manifest(
    changes: Mapping[str, float | None],
    names: Sequence[str],
    *,
    dimension: int | None,
    cap: float,
    unchanged: float = 0.01,
) -> Certificate:
    """Return what a list of changes since the log says of the bias.

    **Arguments:**

    - `changes`: by the name of an arm or a feature how much its parameters may have moved, in norm;
      None: it changed and nobody knows by how much, which is `cap`.
    - `names`: of the arms, in order, if `dimension` says how many features each has of its own; of
      the features that all arms share if `dimension` is None.
    - `unchanged`: the budget of what is not listed.

    **Raises:** InputError on a name that is not among `names`, and on negative budgets.
    """
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise InputError(f"changes, {unknown[0]!r}: must be one of {', '.join(map(str, names))}.")
    given = {name: cap if budget is None else budget for name, budget in changes.items()}
    _sizes(cap=cap, unchanged=unchanged)
    _sizes(**{f"changes, {name}": budget for name, budget in given.items()})
    budgets = [min(given.get(name, unchanged), cap) for name in names]
    return blocks(budgets, dimension or 1, joint=dimension is None)


def certificate_of(parts: Sequence[Any]) -> Certificate:
    """Return the certificate of budget matrices Q [d, d], one a part, over shared features.

    Raises InputError unless each is symmetric, finite and positive semidefinite.
    """
    checked = [_symmetric(f"budgets[{i}]", part) for i, part in enumerate(parts)]
    return Certificate(jnp.asarray(np.stack(checked)[:, None]))


def of_blocks(certificate: Certificate, count: int) -> Certificate:
    """Return the certificate of shared features [m, 1, d, d] for `count` arms whose d / count
    features are their own.

    Of two vectors in different blocks only one meets the features of an arm, and grams do not mix
    blocks, so that the diagonal blocks of Q say all that widths need.
    """
    parts, one, dimension = certificate.budgets.shape[:3]
    if one != 1 or dimension % count:
        raise InputError(
            f"a certificate over {count} times as many shared features, got {one} blocks of "
            f"{dimension}."
        )
    size = dimension // count
    cut = certificate.budgets.reshape(parts, count, size, count, size)
    return Certificate(jnp.einsum("mgcgd->mgcd", cut))


def one_ellipsoid(certificate: Certificate) -> Certificate:
    """Return one ellipsoid over all blocks and parts that holds wherever this certificate does.

    Of n ellipsoids that bound a vector each, in subspaces of their own or as a sum, Q is n times
    their sum (Cauchy-Schwarz).
    """
    budgets = certificate.budgets
    count = (jnp.trace(budgets, axis1=-2, axis2=-1) > 0.0).sum()
    return Certificate(count * budgets.sum(0, keepdims=True))


def euclidean_cover(certificate: Certificate) -> Certificate:
    """Return the bound on the bias's norm alone that holds wherever this certificate does."""
    budgets = one_ellipsoid(certificate).budgets
    radius = jnp.clip(jnp.linalg.eigvalsh(budgets)[..., -1], 0.0).max()
    return Certificate(jnp.broadcast_to(radius * jnp.eye(budgets.shape[-1]), budgets.shape))


def least_ellipsoids(certificate: Certificate, over_blocks: bool) -> jax.Array:
    """Return for each block one ellipsoid around the sum of its parts, [g, c, c].

    over_blocks: so scaled that the bias of all blocks together lies in one ellipsoid, of which
    these are the diagonal blocks. Ellipsoids Q_j with s_j = sqrt(tr Q_j) lie with their sum in
    sum_i s_i sum_j Q_j / s_j (Cauchy-Schwarz; the least trace of all such weights).
    """
    budgets = certificate.budgets
    size = jnp.sqrt(jnp.trace(budgets, axis1=-2, axis2=-1))  # [m, g]
    share = jnp.where(size > 0.0, 1.0 / jnp.where(size > 0.0, size, 1.0), 0.0)
    total = size.sum() if over_blocks else size.sum(0, keepdims=True)
    return ((total * share)[..., None, None] * budgets).sum(0)


def _symmetric(name: str, matrix: Any) -> np.ndarray:
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise InputError(f"`{name}` must be finite and square, got the shape {matrix.shape}.")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12):
        raise InputError(f"`{name}` must be symmetric.")
    matrix = 0.5 * (matrix + matrix.T)
    value = np.linalg.eigvalsh(matrix)
    if value[0] < -_PSD * max(abs(value[-1]), abs(value[0])):
        raise InputError(
            f"`{name}` must be positive semidefinite, has the eigenvalue {value[0]:.3g}."
        )
    return matrix


def _sizes(**sizes: float) -> None:
    for name, size in sizes.items():
        if not (np.isfinite(size) and size >= 0.0):
            raise InputError(f"`{name}` must be finite and not negative, got {size}.")
