"""What a plan promises: nominal and worst delay and error of every query type. docs/allocate.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, tokens
from lpo.allocate.options import Options, Profile
from lpo.allocate.uncertainty import Uncertainty, budget, worst_case
from lpo.errors import InputError

USED = 1e-6  # least share that counts as a route; solvers leave smaller ones behind


class Performance(NamedTuple):
    """Each [I]: delay_ms a query and error (fraction) as nominal, and the worst that is added."""

    delay_ms: np.ndarray
    delay_added_ms: np.ndarray
    error: np.ndarray
    error_added: np.ndarray


def check_shapes(instance: Instance, allocation: Allocation) -> None:
    """Raise InputError unless the plan has the shapes of the instance and finite numbers."""
    I, J, K, N = instance.shape
    shapes = ((J, K, N), (I, J, K, N), (I,))
    for name, values, shape in zip(Allocation._fields, allocation, shapes, strict=True):
        if np.shape(values) != shape:
            raise InputError(
                f"`{name}` of the plan must have shape {shape}, got {np.shape(values)}"
            )
        if not np.all(np.isfinite(values)):
            raise InputError(f"`{name}` of the plan must be finite.")


def protected(options: Options, uncertainty: Uncertainty) -> Uncertainty:
    """The sets that a profile protects against: none in the published deterministic one."""
    if options.profile is Profile.REFERENCE_DETERMINISTIC:
        return budget(0.0, 0.0)
    return uncertainty


def impacts(instance: Instance, options: Options) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Impact [J, K] on delay and on error, None where the sets do not depend on decisions."""
    if not options.decision_dependent:
        return None, None
    return np.asarray(instance.data.impact_delay), np.asarray(instance.data.impact_error)


def delay_divisor(instance: Instance, options: Options) -> np.ndarray:
    """[N]: what a tensor-parallel degree divides the delay by; 1 in the published profiles."""
    degrees = np.asarray(instance.tensor_parallel, np.float64)
    return np.ones_like(degrees) if options.published else degrees


def delay_share(instance: Instance, allocation: Allocation, options: Options) -> np.ndarray:
    """[I, J, K] in tokens a query: $L_i \\sum_n x_{ijkn}/n$, which ms/token are multiplied by."""
    by_pair = np.sum(allocation.share / delay_divisor(instance, options), axis=-1)
    return by_pair * np.asarray(tokens(instance.data))[:, None, None]


def performance(
    instance: Instance, allocation: Allocation, options: Options, uncertainty: Uncertainty
) -> Performance:
    r"""Nominal and worst delay and error of every query type, in closed form.

    $N_i = \sum_{jk} \bar d_{ijk} L_i \sum_n x_{ijkn}/n$ and
    $E_i = \sum_{jk} \bar e_{ijk} \sum_n x_{ijkn}$; the worst additions are `worst_case` of the same
    sums with $\hat d$ and $\hat e$, one deviation for a (query type, model, tier).
    Raises InputError on a plan of other shapes.
    """
    check_shapes(instance, allocation)
    data, sets = instance.data, protected(options, uncertainty)
    flat = (instance.shape[0], -1)
    times = delay_share(instance, allocation, options)
    shares = np.sum(allocation.share, axis=-1)
    on_delay, on_error = (
        None if g is None else np.reshape(g, -1) for g in impacts(instance, options)
    )
    return Performance(
        np.sum(data.delay_ms_per_token * times, axis=(1, 2)),
        worst_case((data.delay_deviation * times).reshape(flat), sets.delay, on_delay),
        np.sum(data.error_rate * shares, axis=(1, 2)),
        worst_case((data.error_deviation * shares).reshape(flat), sets.error, on_error),
    )
