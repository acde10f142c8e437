"""The fleet problem as one cvxpy formulation: relaxed, exact, and as the oracle. docs/fleet.md."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np

from lpo.errors import InputError
from lpo.provision.fleet.parameters import Fleet, services


class FleetProgram(NamedTuple):
    """A parametrised problem (DPP) with its handles.

    **Parameters**, the demand and the fields of `Fleet`: demand [H]; capacity, price, energy,
    startup, initial [K]; unserved (); and, only where the program has them, limit [K] and stock [G]
    (GPUs of each tier). With I services capacity and energy are [I, K] and unserved is [I].

    **Variables**: n, s [H, K] replicas and replicas started; q [H, K], u [H] tokens served and not
    served.

    lead: axes before the slots of a demand: () for one service and one demand, (I,) for services,
    (S,) for scenarios, (S, I) for both. Their product M is the first axis of the demand [M, H] and
    of u [M, H], and q is [M H, K]: cvxpy is at its best with two axes. `solution` and
    `parameter_values` translate. groups: every constraint, by what it stands for: a report on an
    infeasible problem names them.
    """

    problem: cp.Problem
    demand: cp.Parameter
    capacity: cp.Parameter
    price: cp.Parameter
    energy: cp.Parameter
    startup: cp.Parameter
    initial: cp.Parameter
    unserved: cp.Parameter
    limit: cp.Parameter | None
    stock: cp.Parameter | None
    n: cp.Variable
    q: cp.Variable
    s: cp.Variable
    u: cp.Variable
    lead: tuple[int, ...]
    groups: dict[str, list[cp.Constraint]]

    @property
    def parameters(self) -> tuple[cp.Parameter, ...]:
        """Those that the problem has, in the order in which a layer takes them."""
        given = (*self[1:8], self.limit, self.stock)
        return tuple(parameter for parameter in given if parameter is not None)

    @property
    def variables(self) -> tuple[cp.Variable, ...]:
        """n, q, s, u."""
        return self.n, self.q, self.s, self.u


class FleetSolution(NamedTuple):
    """n, s: [H, K] replicas. q, u: [..., H, K], [..., H] tokens; axes of services and scenarios."""

    n: np.ndarray
    q: np.ndarray
    s: np.ndarray
    u: np.ndarray


def fleet_program(
    configurations: int | Fleet,
    horizon: int,
    *,
    integer: bool = False,
    ridge_n: float = 0.0,
    ridge_other: float = 0.0,
    limits: bool | None = None,
    tiers: np.ndarray | None = None,
    n_services: int | None = None,
    least_served: float = 0.0,
    probabilities: Sequence[float] | np.ndarray | None = None,
    cvar_weight: float = 0.0,
    cvar_level: float = 0.9,
) -> FleetProgram:
    """Build min sum(price n + startup s) + cost of the second stage, over H = `horizon` slots.

    For one service and one demand the second stage costs sum(energy q) + unserved sum(u), and

        n, q, s, u >= 0;  q <= capacity n;  sum_k q + u = demand;
        s >= n[t] - n[t-1], n[-1] = initial;  n <= limit;  sum_k gpus n <= stock of each tier.

    **Arguments:**

    - `configurations`: K, or a fleet, which says K, the number of services and whether there are
      limits, and whose numbers become the values of the parameters.
    - `integer`: whole replicas (the exact problem) instead of n >= 0 (its relaxation).
    - `ridge_n`, `ridge_other`: add ridge_n |n|^2 + ridge_other (|q|^2 + |s|^2 + |u|^2), without
      which the relaxation may have several solutions.
    - `limits`: whether n <= limit is part of the problem. None: if a fleet with a finite one is
      given.
    - `tiers`: [G, K] GPUs of each tier that a replica takes. None: no stock of GPUs.
    - `n_services`: I services that share replicas: a replica may split its time of a slot, so that
      sum_i q_i / capacity_i <= n. None: one service, without an axis.
    - `least_served`: share of every slot's demand that must be served; with limits or a stock it
      can make the problem infeasible, which it never is otherwise.
    - `probabilities`: [S] of S demands, one of which comes true; n and s are decided before, q and
      u after. The objective is the first stage + (1 - w) E[second stage] + w CVaR of the second
      stage, with w = `cvar_weight` and the CVaR at level `cvar_level`, the mean of the worst
      1 - level of the outcomes (Rockafellar and Uryasev, "Optimization of conditional
      value-at-risk", 2000). None: one demand.

    Raises InputError on a size below 1 and numbers outside the ranges above.
    """
    given = configurations if isinstance(configurations, Fleet) else None
    if given is not None:
        n_services = services(given)
        if limits is None:
            limits = bool(np.isfinite(given.limit).any())
    K = len(given.price) if given is not None else _positive(configurations, "configurations")
    H = _positive(horizon, "horizon")
    lead_i = () if n_services is None else (_positive(n_services, "n_services"),)
    weights = _checked_probabilities(probabilities)
    lead = lead_i if weights is None else (len(weights), *lead_i)
    blocks = (math.prod(lead),) if lead else ()  # one of each service in each scenario
    for name, number, inside, allowed in (
        ("ridge_n", ridge_n, 0.0 <= ridge_n < np.inf, "finite and not negative"),
        ("ridge_other", ridge_other, 0.0 <= ridge_other < np.inf, "finite and not negative"),
        ("least_served", least_served, 0.0 <= least_served <= 1.0, "in [0, 1]"),
        ("cvar_weight", cvar_weight, 0.0 <= cvar_weight <= 1.0, "in [0, 1]"),
        ("cvar_level", cvar_level, 0.0 <= cvar_level < 1.0, "in [0, 1)"),
    ):
        if not inside:
            raise InputError(f"`{name}` must be {allowed}, got {number}.")
    if cvar_weight > 0.0 and weights is None:
        raise InputError("`cvar_weight` needs `probabilities` of scenarios.")

    demand = cp.Parameter((*blocks, H), nonneg=True, name="demand")
    capacity = cp.Parameter((*lead_i, K), nonneg=True, name="capacity")
    price = cp.Parameter(K, nonneg=True, name="price")
    energy = cp.Parameter((*lead_i, K), nonneg=True, name="energy")
    startup = cp.Parameter(K, nonneg=True, name="startup")
    initial = cp.Parameter(K, nonneg=True, name="initial")
    unserved = cp.Parameter(lead_i, nonneg=True, name="unserved")
    limit = cp.Parameter(K, nonneg=True, name="limit") if limits else None
    n = cp.Variable((H, K), name="n", integer=integer)
    q = cp.Variable((H * math.prod(lead), K), name="q")
    s = cp.Variable((H, K), name="s")
    u = cp.Variable((*blocks, H), name="u")

    # Bounds are constraints and not attributes: a solver's interface may drop the latter.
    groups: dict[str, list[Any]] = {
        "replicas": [n >= 0],
        "starts": [s >= 0],
        "startup": [s[0] >= n[0] - initial],
    }
    if H > 1:
        groups["startup"].append(s[1:] >= n[1:] - n[:-1])
    if limit is not None:
        groups["limit"] = [n <= _rows(limit, H)]
    stock = None
    if tiers is not None:
        takes = np.asarray(tiers, np.float64)
        if takes.ndim != 2 or takes.shape[1] != K:
            raise InputError(f"`tiers` must be [tiers, {K}], got shape {takes.shape}.")
        stock = cp.Parameter(len(takes), nonneg=True, name="stock")
        groups["stock"] = [n @ takes.T <= _rows(stock, H)]

    # The second stage of each scenario, over the blocks of its services.
    S, I = (1 if weights is None else len(weights)), n_services or 1
    per_service: tuple[Any, ...] = (capacity, energy, unserved)
    outcomes = []
    squares: Any = cp.sum_squares(s)
    for w in range(S):
        blocks_w = []
        for i in range(I):
            block = w * I + i
            c_i, e_i, phi_i = (x if n_services is None else x[i] for x in per_service)
            rows = slice(block * H, (block + 1) * H)
            d_i, q_i, u_i = (demand[block], q[rows], u[block]) if lead else (demand, q, u)
            blocks_w.append(_Block(d_i, c_i, e_i, phi_i, q_i, u_i))
        outcome, squares_w, groups_w = _second_stage(n, blocks_w, least_served)
        outcomes.append(outcome)
        squares += squares_w if weights is None else weights[w] * squares_w
        for name, constraints in groups_w.items():
            groups.setdefault(name, []).extend(constraints)

    cost: Any = cp.sum(n @ price) + cp.sum(s @ startup)
    if weights is None:
        cost += outcomes[0]
    else:
        cost += (1.0 - cvar_weight) * sum(p * x for p, x in zip(weights, outcomes, strict=True))
    if weights is not None and cvar_weight > 0.0:
        level, excess = cp.Variable(name="value_at_risk"), cp.Variable(S, name="excess")
        groups["risk"] = [excess >= 0]
        groups["risk"] += [excess[w] >= x - level for w, x in enumerate(outcomes)]
        cost += cvar_weight * (level + weights @ excess / (1.0 - cvar_level))
    if ridge_n > 0.0:
        cost += ridge_n * cp.sum_squares(n)
    if ridge_other > 0.0:
        cost += ridge_other * squares

    constraints = [constraint for group in groups.values() for constraint in group]
    program = FleetProgram(
        cp.Problem(cp.Minimize(cost), constraints),
        *(demand, capacity, price, energy, startup, initial, unserved, limit, stock),
        *(n, q, s, u),
        lead,
        groups,
    )
    if given is not None:
        _set_fleet(program, given)
    return program


def parameter_values(
    program: FleetProgram, fleet: Fleet, demand: np.ndarray, *, stock: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Return the values of `program.parameters`, in their order, float64.

    demand: [H], [I, H], [S, H] or [S, I, H] tokens. stock: [G] GPUs of each tier. An infinite limit
    becomes a finite one that no optimal fleet exceeds: what serves the largest demand alone, or the
    initial replicas. Raises InputError on a wrong shape, a demand that is negative or not finite,
    and a stock given or missing where the program says otherwise.
    """
    wanted = np.asarray(demand, np.float64)
    expected = (*program.lead, program.demand.shape[-1])
    if wanted.shape != expected:
        raise InputError(f"`demand` must have shape {expected}, got {wanted.shape}.")
    if not (np.isfinite(wanted).all() and (wanted >= 0).all()):
        raise InputError("`demand` must be finite and not negative.")
    if (stock is None) != (program.stock is None):
        raise InputError("`stock` must be given exactly when the program has tiers.")
    values: list[Any] = [wanted.reshape(program.demand.shape), *fleet[:6]]
    if program.limit is not None:
        values.append(_finite_limit(fleet, wanted))
    if program.stock is not None:
        values.append(stock)
    arrays = tuple(np.asarray(value, np.float64) for value in values)
    for parameter, array in zip(program.parameters, arrays, strict=True):
        if array.shape != parameter.shape:
            raise InputError(
                f"`{parameter.name()}` must have shape {parameter.shape}, got {array.shape}."
            )
    return arrays


def set_values(
    program: FleetProgram, fleet: Fleet, demand: np.ndarray, *, stock: np.ndarray | None = None
) -> None:
    """Give the program's parameters their values; raises as `parameter_values`."""
    values = parameter_values(program, fleet, demand, stock=stock)
    for parameter, value in zip(program.parameters, values, strict=True):
        parameter.value = value


def solution(program: FleetProgram) -> FleetSolution | None:
    """Return what the last solve of the program found, None when it found no point."""
    n, q, s, u = (variable.value for variable in program.variables)
    if n is None or q is None or s is None or u is None:
        return None
    H, K = n.shape
    lead = program.lead
    return FleetSolution(n, q.reshape(*lead, H, K), s, u.reshape(*lead, H))


class _Block(NamedTuple):
    """One service in one scenario: its parameters, and its tokens q [H, K] and u [H]."""

    demand: Any
    capacity: Any
    energy: Any
    unserved: Any
    q: Any
    u: Any


def _second_stage(
    n: cp.Variable, services: list[_Block], least_served: float
) -> tuple[Any, Any, dict[str, list[Any]]]:
    """Return cost, sum of the squares of all variables, and constraints of one scenario."""
    groups: dict[str, list[Any]] = {
        "served": [x.q >= 0 for x in services],
        "unserved": [x.u >= 0 for x in services],
        "demand": [cp.sum(x.q, axis=1) + x.u == x.demand for x in services],
    }
    if least_served > 0.0:
        groups["service level"] = [x.u <= (1.0 - least_served) * x.demand for x in services]
    # What every service takes of the replicas' time; one alone takes all of it. With shares the
    # limit sum_i q_i / capacity_i <= n needs no division, which a capacity of 0 would not survive.
    shares: list[Any] = [n] if len(services) == 1 else [cp.Variable(n.shape) for _ in services]
    groups["capacity"] = [
        x.q <= cp.multiply(share, _rows(x.capacity, n.shape[0]))
        for x, share in zip(services, shares, strict=True)
    ]
    cost: Any = sum(cp.sum(x.q @ x.energy) + x.unserved * cp.sum(x.u) for x in services)
    squares: Any = sum(cp.sum_squares(x.q) + cp.sum_squares(x.u) for x in services)
    if len(services) > 1:
        groups["shares"] = [*(share >= 0 for share in shares), sum(shares) <= n]
        squares += sum(cp.sum_squares(share) for share in shares)
    return cost, squares, groups


def _set_fleet(program: FleetProgram, fleet: Fleet) -> None:
    for parameter, value in zip(program.parameters[1:7], fleet[:6], strict=True):
        parameter.value = np.asarray(value, np.float64)


def _finite_limit(fleet: Fleet, demand: np.ndarray) -> np.ndarray:
    capacity = np.atleast_2d(fleet.capacity)
    peak = demand.reshape(-1, len(capacity), demand.shape[-1]).max(axis=(0, 2))[:, None]
    alone = np.divide(peak, capacity, out=np.zeros_like(capacity), where=capacity > 0)
    enough = np.maximum(np.ceil(alone).sum(axis=0), fleet.initial)
    return np.where(np.isfinite(fleet.limit), fleet.limit, enough)


def _rows(parameter: Any, horizon: int) -> Any:
    """The same [K] in every slot: [H, K]."""
    return cp.vstack([parameter] * horizon)


def _positive(size: Any, name: str) -> int:
    if int(size) != size or size < 1:
        raise InputError(f"`{name}` must be a whole number of at least 1, got {size}.")
    return int(size)


def _checked_probabilities(probabilities: Any) -> np.ndarray | None:
    if probabilities is None:
        return None
    weights = np.asarray(probabilities, np.float64)
    # Not finite fails the sum.
    if weights.ndim != 1 or (weights < 0).any() or not abs(weights.sum() - 1.0) <= 1e-9:
        raise InputError("`probabilities` must be one axis of numbers >= 0 with sum 1.")
    return weights
