"""The bundled optimum in closed form, and the least fleet that serves everybody. docs/serve.md.

With an empty decode queue, completions r [I] per GPU and second are possible exactly if

    sum (P tau / C) r <= 1,     sum s r <= B gamma,     0 <= r <= lambda,     s = D + kappa P:

prefills take sum (P tau / C) r slots, which leaves (B - 1) / tau tokens per second of each of them
and B gamma of the others for decoding, and any split between the two that fits their sum fits both.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from lpo.errors import InputError
from lpo.optim.linear import solve_linear
from lpo.optim.matrix_program import MatrixProgram
from lpo.serve.instance import Instance
from lpo.serve.rates import Rates, service_rates


class Knapsack(NamedTuple):
    """Classes served in decreasing w / s while decode capacity lasts.

    completed [I]: requests per second. value: currency per second. token_price: currency of a
    decode token of capacity, w / s of the class served in part, 0 where capacity is left.
    prefill_slots: that this would take; above 1 the value is an upper bound only.
    """

    completed: np.ndarray
    value: float
    token_price: float
    prefill_slots: float


class BundledOptimum(NamedTuple):
    """The optimum of `solve_plan` with bundled pricing and no levels; fields as in `FluidPlan`.

    prefill_price, token_price: currency of a prefill slot for a second, and of a decode token.
    """

    x: np.ndarray
    y_m: np.ndarray
    y_s: np.ndarray
    q_p: np.ndarray
    completed: np.ndarray
    value: float
    prefill_price: float
    token_price: float


class MinimumFleet(NamedTuple):
    """GPUs that can serve everything, in whole and in part.

    prefill: as many as the prefills fill. decode: as many as all work fills, in decode tokens.
    least: the larger one. planned: whole, with square-root slack for randomness.
    """

    prefill: float
    decode: float
    least: float
    planned: int


def fractional_knapsack(instance: Instance) -> Knapsack:
    """Return the optimum of the decode capacity alone (Dantzig, "Discrete-variable extremum
    problems", 1957); of classes with equal w / s the first is served first.

    Raises InputError where tau / tau_solo < (B - 1) / B, where the closed form does not hold.
    """
    rates, arrival = _checked(instance), np.asarray(instance.arrival)
    capacity = instance.hardware.batch * rates.gamma
    order = np.argsort(-rates.w / rates.size, kind="stable")
    work = (rates.size * arrival)[order]
    before = np.cumsum(work) - work
    served = np.clip(capacity - before, 0.0, work)
    completed = np.zeros_like(arrival)
    completed[order] = np.minimum(served / rates.size[order], arrival[order])
    full = np.flatnonzero(np.cumsum(work) > capacity)
    price = float((rates.w / rates.size)[order[full[0]]]) if len(full) else 0.0
    slots = float(np.sum(completed / rates.mu_p))
    return Knapsack(completed, float(rates.w @ completed), price, slots)


def bundled_optimum(instance: Instance) -> BundledOptimum:
    """Return the exact optimum: the knapsack where prefill slots are left, otherwise the linear
    program of the two rows, of which at most two classes are served in part.

    Raises InputError as `fractional_knapsack`.
    """
    knapsack, rates = fractional_knapsack(instance), _checked(instance)
    completed, prices = knapsack.completed, (0.0, knapsack.token_price)
    if knapsack.prefill_slots > 1.0:
        completed, prices = _two_rows(instance, rates)
    x = completed / rates.mu_p
    tokens = instance.decode * completed
    total = tokens.sum()
    # decodes go to GPUs without a prefill as long as there is room, as in `solve_plan`
    solo = min(
        instance.hardware.batch * max(1.0 - x.sum(), 0.0), total * instance.hardware.tau_solo
    )
    mixed = max(total - solo * rates.gamma, 0.0) * rates.tau
    share = tokens / (total or 1.0)
    patience = np.where(instance.patience > 0, instance.patience, np.inf)
    return BundledOptimum(
        x=x,
        y_m=share * mixed,
        y_s=share * solo,
        q_p=(instance.arrival - completed) / patience,
        completed=completed,
        value=float(rates.w @ completed),
        prefill_price=prices[0],
        token_price=prices[1],
    )


def load(instance: Instance) -> float:
    """Return the least number of GPUs over the number that there are; above 1 some are not served.

    Scheduling policies differ where this is about 1 or more.
    """
    return max(_work(instance, service_rates(instance)))


def minimum_fleet(instance: Instance, gpus: float = 1.0, *, slack: float = 0.0) -> MinimumFleet:
    """Return the fleet that serves the arrivals of `gpus` GPUs of an instance, gpus x arrival.

    slack: square roots of the least fleet that are planned on top, against randomness (Halfin and
    Whitt, "Heavy-traffic limits for queues with many exponential servers", 1981).
    Raises InputError on numbers that are negative or not finite.
    """
    for name, number in (("gpus", gpus), ("slack", slack)):
        if not (np.isfinite(number) and number >= 0.0):
            raise InputError(f"`{name}` must be finite and at least 0, got {number}.")
    prefill, decode = (gpus * each for each in _work(instance, service_rates(instance)))
    least = max(prefill, decode)
    # a whole number of GPUs that rounding has made larger by a bit is that number
    planned = int(np.ceil((least + slack * np.sqrt(least)) * (1.0 - 1e-12)))
    return MinimumFleet(prefill, decode, least, planned)


def _work(instance: Instance, rates: Rates) -> tuple[float, float]:
    capacity = instance.hardware.batch * rates.gamma
    return (
        float(np.sum(instance.arrival / rates.mu_p)),
        float(np.sum(instance.arrival * rates.size) / capacity),
    )


def _checked(instance: Instance) -> Rates:
    rates = service_rates(instance)
    if rates.kappa < 0.0:
        raise InputError(
            "The closed form needs tau / tau_solo of at least (batch - 1) / batch, got "
            f"{rates.tau * rates.gamma:.3g}; use `solve_plan`."
        )
    return rates


def _two_rows(instance: Instance, rates: Rates) -> tuple[np.ndarray, tuple[float, float]]:
    """Completions [I] and the prices of the two rows."""
    # Shares of what arrives, of all money and of the capacities: numbers of about 1.
    arrival, money = np.asarray(instance.arrival), rates.w @ instance.arrival or 1.0
    capacity = instance.hardware.batch * rates.gamma
    rows = np.stack([1.0 / rates.mu_p, rates.size / capacity]) * arrival
    I = len(arrival)
    program = MatrixProgram(
        cost=-rates.w * arrival / money,
        offset=0.0,
        quadratic=None,
        matrix=sp.csr_matrix(rows),
        row_lower=np.full(2, -np.inf),
        row_upper=np.ones(2),
        lower=np.zeros(I),
        upper=np.ones(I),
        integer=np.zeros(I, bool),
        binary=np.zeros(I, bool),
    )
    found = solve_linear(program)
    if found.x is None or found.row_dual is None:
        raise RuntimeError(f"HiGHS ended with {found.status}: {found.note}")
    prefill, decode = (-money * found.row_dual).tolist()
    return arrival * np.clip(found.x, 0.0, 1.0), (prefill, decode / capacity)
