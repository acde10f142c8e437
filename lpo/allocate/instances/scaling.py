"""Changed instances: prices, limits, memory, demand or deviations times a number."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from lpo.allocate.instance import Instance, InstanceData
from lpo.errors import InputError

SCALES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "price": ("price_usd_per_hour",),
        "budget": ("budget_usd",),
        "delay_limit": ("delay_limit_ms",),
        "error_limit": ("error_limit",),
        "memory": ("memory_gb",),
        "compute": ("compute_tflops",),
        "demand": ("arrivals_per_hour",),
        "deviation": ("delay_deviation", "error_deviation"),
        "delay_deviation": ("delay_deviation",),
        "error_deviation": ("error_deviation",),
        "delay_price": ("delay_usd_per_ms",),
        "unmet_price": ("unmet_usd",),
        "storage": ("storage_gb",),
        "storage_price": ("storage_usd_per_gb_hour",),
        "residency": ("residency_h",),
    }
)
"""Names of the scales and the fields of `InstanceData` that each multiplies."""

PUBLISHED_SCALES: Mapping[str, str] = MappingProxyType(
    {
        "p_c_scale": "price",
        "gpu_cost_scale": "price",
        "delta_scale": "budget",
        "psi_delay": "delay_limit",
        "psi_error": "error_limit",
        "C_gpu_scale": "memory",
    }
)
"""Names that the published sensitivity analyses use for some of `SCALES`."""


def scale_name(name: str) -> str:
    """Return the name in `SCALES` of a scale, which may be given by its published name.

    Raises InputError on a name that is in neither.
    """
    known = PUBLISHED_SCALES.get(name, name)
    if known not in SCALES:
        allowed = ", ".join((*SCALES, *PUBLISHED_SCALES))
        raise InputError(f"Unknown scale `{name}`; there are {allowed}.")
    return known


def scaled(instance: Instance, **factors: float) -> Instance:
    """Return the instance with fields multiplied, such as `scaled(instance, price=0.5)`.

    Two names for one field multiply both. The array of a factor of 1 stays as it is, bit for bit.
    Raises InputError on an unknown name and on a factor that is not positive and finite.
    """
    return instance._replace(data=scaled_data(instance.data, **factors))


def scaled_data(data: InstanceData, **factors: float) -> InstanceData:
    """`scaled`, for the numbers alone; arrays may be NumPy's or JAX's."""
    for given, factor in factors.items():
        name = scale_name(given)
        if not (math.isfinite(factor) and factor > 0.0):
            raise InputError(f"Scale `{given}` must be positive and finite, got {factor}.")
        data = data._replace(**{field: getattr(data, field) * factor for field in SCALES[name]})
    return data
