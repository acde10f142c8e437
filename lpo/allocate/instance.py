"""What is to be allocated: query types, models, GPU tiers, limits and prices. docs/allocate.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class InstanceData(NamedTuple):
    """The numbers of an instance, a pytree of float64 arrays (NumPy; JAX arrays in a layer).

    Axes: I query types, J models, K GPU tiers. The symbols are those of docs/allocate.md.

    **Models**: weights_gb [J] (B). kv_gb_per_token [J] (beta), cache of one token.
    **Tiers**: memory_gb [K] (C), compute_tflops [K] (P), price_usd_per_hour [K] (p_c) of one GPU,
    tier_limit [K]: GPUs there are, infinite where nobody counts.
    **Queries**: input_tokens, output_tokens [I] (h, f) a query. arrivals_per_hour [I] (lambda).
    tflop_per_kilotoken [I] (alpha). data_per_token [I] (theta), MB, which legacy units take for GB.
    delay_usd_per_ms [I] (rho) a query. unmet_usd [I] (phi) a dropped query. unmet_cap [I] (ubar),
    largest dropped share. delay_limit_ms [I] (Delta). error_limit [I] (epsilon), a fraction.
    **Performance** [I, J, K]: delay_ms_per_token (d_bar) on one GPU and its largest deviation
    delay_deviation (d_hat); error_rate (e_bar), error_deviation (e_hat), fractions; residency_h
    (T_res), hours that the cache of a query stays in memory.
    **Scalars** []: storage_gb (C_st), storage_usd_per_gb_hour (p_s), budget_usd (delta),
    rental_hours (Delta T).
    **Impact** [J, K], in [0, 1]: impact_delay (gamma), impact_error (eta): the share of the
    uncertainty that choosing the pair removes, in a decision-dependent set.
    """

    weights_gb: Any
    kv_gb_per_token: Any
    memory_gb: Any
    compute_tflops: Any
    price_usd_per_hour: Any
    tier_limit: Any
    input_tokens: Any
    output_tokens: Any
    arrivals_per_hour: Any
    tflop_per_kilotoken: Any
    data_per_token: Any
    delay_usd_per_ms: Any
    unmet_usd: Any
    unmet_cap: Any
    delay_limit_ms: Any
    error_limit: Any
    delay_ms_per_token: Any
    delay_deviation: Any
    error_rate: Any
    error_deviation: Any
    residency_h: Any
    storage_gb: Any
    storage_usd_per_gb_hour: Any
    budget_usd: Any
    rental_hours: Any
    impact_delay: Any
    impact_error: Any


class Instance(NamedTuple):
    """Names and numbers of an allocation problem.

    tensor_parallel: the N degrees on offer, ascending, such as (1, 2, 4, 8). gamma_delay,
    gamma_error: uncertainty budgets that the instance was made with, used unless others are given.
    """

    name: str
    query_types: tuple[str, ...]
    models: tuple[str, ...]
    tiers: tuple[str, ...]
    tensor_parallel: tuple[int, ...]
    gamma_delay: float
    gamma_error: float
    data: InstanceData

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """I, J, K, N."""
        return (
            len(self.query_types),
            len(self.models),
            len(self.tiers),
            len(self.tensor_parallel),
        )


def tokens(data: InstanceData) -> Any:
    """L [I]: tokens of a query, input and output."""
    return data.input_tokens + data.output_tokens


_AXES = {"I": "query_types", "J": "models", "K": "tiers"}
_POSITIVE, _NOT_NEGATIVE, _SHARE = "positive and finite", "finite and at least 0", "in [0, 1]"
_LIMIT = "at least 0 (infinite: no limit)"

LARGEST = 1e30  # of a finite number, so that products of a few stay finite
RULES: dict[str, tuple[str, str]] = {
    "weights_gb": ("J", _POSITIVE),
    "kv_gb_per_token": ("J", _NOT_NEGATIVE),
    "memory_gb": ("K", _POSITIVE),
    "compute_tflops": ("K", _POSITIVE),
    "price_usd_per_hour": ("K", _NOT_NEGATIVE),
    "tier_limit": ("K", _LIMIT),
    "input_tokens": ("I", _NOT_NEGATIVE),
    "output_tokens": ("I", _NOT_NEGATIVE),
    "arrivals_per_hour": ("I", _NOT_NEGATIVE),
    "tflop_per_kilotoken": ("I", _NOT_NEGATIVE),
    "data_per_token": ("I", _NOT_NEGATIVE),
    "delay_usd_per_ms": ("I", _NOT_NEGATIVE),
    "unmet_usd": ("I", _NOT_NEGATIVE),
    "unmet_cap": ("I", _SHARE),
    "delay_limit_ms": ("I", _POSITIVE),
    "error_limit": ("I", _POSITIVE),
    "delay_ms_per_token": ("IJK", _NOT_NEGATIVE),
    "delay_deviation": ("IJK", _NOT_NEGATIVE),
    "error_rate": ("IJK", _NOT_NEGATIVE),
    "error_deviation": ("IJK", _NOT_NEGATIVE),
    "residency_h": ("IJK", _NOT_NEGATIVE),
    "storage_gb": ("", _POSITIVE),
    "storage_usd_per_gb_hour": ("", _NOT_NEGATIVE),
    "budget_usd": ("", _POSITIVE),
    "rental_hours": ("", _POSITIVE),
    "impact_delay": ("JK", _SHARE),
    "impact_error": ("JK", _SHARE),
}
"""Axes of each field of `InstanceData`, and what its numbers may be."""


def check_instance(instance: Instance) -> Instance:
    """Return the instance with float64 arrays of the right shapes, after checking every number.

    Raises InputError, one line, on the first field with a wrong shape or a number that `RULES`
    does not allow or that is finite and beyond `LARGEST`, on names that are empty or repeated, on
    degrees that are not ascending whole numbers of at least 1, and on a negative uncertainty
    budget.
    """
    problem = first_problem(instance)
    if problem is not None:
        field, what = problem
        raise InputError(f"Instance {instance.name}: `{field}`{what}.")
    data = InstanceData(*(np.asarray(values, np.float64) for values in instance.data))
    return instance._replace(data=data)


def first_problem(instance: Instance) -> tuple[str, str] | None:
    """Return the first field that is wrong and the rest of the sentence; None if all is well."""
    for axis in _AXES.values():
        names = getattr(instance, axis)
        if not names or not all(isinstance(name, str) and name for name in names):
            return axis, " must be a list of at least one name"
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            return axis, f" has the name {twice[0]!r} more than once"
    degrees = instance.tensor_parallel
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in degrees)
    if not degrees or not whole or list(degrees) != sorted(set(degrees)):
        return "tensor_parallel", f" must be ascending whole numbers of at least 1, got {degrees}"
    for field in ("gamma_delay", "gamma_error"):
        if not getattr(instance, field) >= 0.0:
            return field, f" must be at least 0, got {getattr(instance, field)}"
    for field, (axes, allowed) in RULES.items():
        what = _problem_of(getattr(instance.data, field), axes, allowed, instance)
        if what is not None:
            return field, what
    no_tokens = np.flatnonzero(np.asarray(tokens(instance.data)) <= 0.0)
    if no_tokens.size:
        place = _place((int(no_tokens[0]),), "I", instance)
        return "output_tokens", f"{place} must be positive where `input_tokens` is 0"
    return None


def _problem_of(values: Any, axes: str, allowed: str, instance: Instance) -> str | None:
    try:
        array = np.asarray(values)
        numbers = array.astype(np.float64) if array.dtype.kind in "iuf" else None
    except ValueError:  # ragged
        numbers = None
    shape = tuple(len(getattr(instance, _AXES[axis])) for axis in axes)
    if numbers is None or numbers.shape != shape:
        got = "something else" if numbers is None else f"shape {numbers.shape}"
        wanted = f"numbers of shape {shape} ({' x '.join(axes)})" if axes else "one number"
        return f" must be {wanted}, got {got}"
    good = {
        _POSITIVE: (numbers > 0.0) & np.isfinite(numbers),
        _NOT_NEGATIVE: (numbers >= 0.0) & np.isfinite(numbers),
        _SHARE: (numbers >= 0.0) & (numbers <= 1.0),
        _LIMIT: numbers >= 0.0,
    }[allowed]
    if np.all(good):
        good, allowed = (numbers <= LARGEST) | np.isinf(numbers), f"at most {LARGEST:g}"
    if np.all(good):
        return None
    index = tuple(int(i) for i in np.argwhere(~good)[0])
    return f"{_place(index, axes, instance)} must be {allowed}, got {numbers[index]:g}"


def _place(index: tuple[int, ...], axes: str, instance: Instance) -> str:
    if not axes:
        return ""
    names = [getattr(instance, _AXES[a])[i] for a, i in zip(axes, index, strict=True)]
    return f"[{', '.join(map(str, index))}] ({', '.join(names)})"
