"""Uncertainty sets of delay and error: what the worst case of a plan is. docs/allocate.md.

For one query type the realised value of route r is bar_r + hat_r xi_r, so that a plan which puts
a_r = hat_r x_r at risk has the worst case max a'xi over the set of xi.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, gammaln

from lpo.errors import InputError


class Budget(NamedTuple):
    """xi in [0, 1]^m with sum xi <= gamma (Bertsimas and Sim, "The price of robustness", 2004).

    gamma 0 is the nominal problem, gamma >= m (or infinite) the box.
    """

    gamma: float


class Box(NamedTuple):
    """xi in [0, scale]^m: every deviation at its worst at once."""

    scale: float = 1.0


class Ellipsoid(NamedTuple):
    """|xi|_2 <= radius (Ben-Tal and Nemirovski, "Robust solutions of uncertain LPs", 1999)."""

    radius: float


UncertaintySet = Budget | Box | Ellipsoid


class Uncertainty(NamedTuple):
    """The sets of delay and of error; the same for every query type."""

    delay: UncertaintySet
    error: UncertaintySet


def budget(gamma_delay: float, gamma_error: float) -> Uncertainty:
    """Budgeted sets. Raises InputError on a budget that is negative or not a number."""
    for name, gamma in (("gamma_delay", gamma_delay), ("gamma_error", gamma_error)):
        if not gamma >= 0.0 or math.isnan(gamma):
            raise InputError(f"`{name}` must be at least 0, got {gamma}.")
    return Uncertainty(Budget(float(gamma_delay)), Budget(float(gamma_error)))


def worst_case(
    at_risk: np.ndarray, uncertainty_set: UncertaintySet, impact: np.ndarray | None = None
) -> np.ndarray:
    r"""Largest a'xi over the set, [...], for amounts at risk a = `at_risk` [..., m], a >= 0.

    impact: g, broadcast to [..., m], in [0, 1]; choosing route r removes that share of its
    uncertainty. With capacities $c_r = 1 - g_r$ (all 1 without impact):

    - Budget: $0 \le \xi_r \le c_r$, $\sum \xi_r \le \Gamma$. A continuous knapsack: take the
      largest a first, until Gamma is used up. By linear duality it equals
      $\min \Gamma\tau + \sum_r c_r\sigma_r$ with $\tau + \sigma_r \ge a_r$ and $\tau, \sigma \ge 0$
      (Bertsimas and Sim 2004, proposition 1 and theorem 1), which is what the exact program has
      as rows; at the optimum tau is the a of the route that Gamma ends in, and
      $\sigma_r = (a_r - \tau)_+$. Routes that carry nothing have sigma 0, so that the impact of a
      pair counts only where it is chosen and no product of decision and dual is needed.
    - Box: $0 \le \xi_r \le s\,c_r$, so $s\sum c_r a_r$.
    - Ellipsoid: $\xi = c\,\zeta$ (by element) with $|\zeta|_2 \le \rho$, so $\rho\,|c\,a|_2$.

    Raises InputError on an impact outside [0, 1].
    """
    a = np.maximum(np.asarray(at_risk, np.float64), 0.0)
    capacity = np.broadcast_to(1.0 if impact is None else 1.0 - np.asarray(impact), a.shape)
    if not np.all((capacity >= 0.0) & (capacity <= 1.0)):
        raise InputError("`impact` must be in [0, 1].")
    match uncertainty_set:
        case Box(scale):
            return scale * np.sum(capacity * a, axis=-1)
        case Ellipsoid(radius):
            return radius * np.sqrt(np.sum((capacity * a) ** 2, axis=-1))
        case Budget(gamma):
            order = np.argsort(-a, axis=-1)
            capacity = np.take_along_axis(capacity, order, axis=-1)
            before = np.cumsum(capacity, axis=-1) - capacity
            taken = np.clip(gamma - before, 0.0, capacity)
            return np.sum(taken * np.take_along_axis(a, order, axis=-1), axis=-1)


def violation_bound(gamma: float, m: int, *, one_sided: bool = False) -> float:
    r"""Bound on the probability that a limit protected by Budget(gamma) over m routes is violated.

    For m independent xi, symmetric about 0 in [-1, 1], whatever their distribution and whatever the
    plan: $B(m, \Gamma) = (1 - \mu) b(k) + \sum_{l > k} b(l)$ with $b(l) = 2^{-m}\binom{m}{l}$,
    $k = \lfloor\nu\rfloor$, $\nu = (\Gamma + m)/2$, $\mu = \nu - k$ (Bertsimas and Sim 2004,
    theorem 3); 0 for gamma >= m, the box. b(k) is computed through log-gamma and its
    tail as an incomplete beta function, so that a large m neither overflows nor cancels.

    **One-sided deviations** in [0, 1], such as those that a plan of this package is protected
    against: the theorem does not hold, because nominal is their best case. If xi is symmetric
    about 1/2 (or smaller in the usual stochastic order, as Beta(2, 5) is than Beta(2, 2)), write
    xi = (1 + eta)/2 with eta symmetric in [-1, 1]. The gamma largest a add up to at least
    $\frac12\sum_r a_r$ and the half of the $2\Gamma - m$ largest, so that
    $B(m, 2\Gamma - m)$ bounds the violation; nothing is promised (1) for gamma < m / 2.
    `lpo.allocate.instances.shifted` writes the same as a change of the instance.

    Raises InputError on a negative gamma and on m < 1.
    """
    if one_sided:
        _check(gamma, m)
        return 1.0 if 2.0 * gamma < m else violation_bound(2.0 * gamma - m, m)
    _check(gamma, m)
    if gamma >= m:
        return 0.0
    nu = (gamma + m) / 2.0
    k = math.floor(nu)
    at, above = _binomial(k, m)
    return min((1.0 - (nu - k)) * at + above, 1.0)


def hoeffding_bound(gamma: float, m: int) -> float:
    """exp(-gamma^2 / (2m)) >= `violation_bound` (Bertsimas and Sim 2004, theorem 2).

    Same assumptions; raises InputError on the same.
    """
    _check(gamma, m)
    return math.exp(-(gamma**2) / (2.0 * m))


def gamma_for(probability: float, m: int, *, one_sided: bool = False) -> float:
    r"""Least gamma whose `violation_bound` over m routes is at most `probability`, in [0, m].

    The bound falls continuously and linearly between the points where (gamma + m)/2 is whole, so
    the inverse is exact. It ends at 2^-m and drops to 0 at gamma = m: with fewer than
    log2(1/probability) routes only the box is enough. One limit of one query type; for a plan's n
    limits together, give `probability` / n (union bound).

    Raises InputError on a probability outside (0, 1] and on m < 1.
    """
    if not 0.0 < probability <= 1.0:
        raise InputError(f"`probability` must be in (0, 1], got {probability}.")
    _check(0.0, m)
    if one_sided:
        return 0.0 if probability >= 1.0 else (m + gamma_for(probability, m)) / 2.0
    if violation_bound(0.0, m) <= probability:
        return 0.0
    low, high = m // 2, m  # of k: the tail above `high` is 0, that above `low` - 1 too much
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _binomial(middle, m)[1] <= probability else (middle + 1, high)
    at, above = _binomial(low, m)
    nu = low + 1.0 - (probability - above) / at
    return float(min(max(2.0 * nu - m, 0.0), m))


def _check(gamma: float, m: int) -> None:
    if not gamma >= 0.0:
        raise InputError(f"`gamma` must be at least 0, got {gamma}.")
    if m < 1 or m != int(m):
        raise InputError(f"`m`, the number of routes, must be a whole number of at least 1: {m}")


def _binomial(k: int, m: int) -> tuple[float, float]:
    """P(X = k) and P(X > k) for X binomial(m, 1/2)."""
    at = math.exp(gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1) - m * math.log(2.0))
    return at, float(betainc(k + 1, m - k, 0.5)) if k < m else 0.0
