"""The named limits of an allocation: which number of the instance each one is, in which unit."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.instance import Instance
from lpo.errors import InputError


class Kind(NamedTuple):
    """A kind of limit, such as "delay": one limit a name of `axis`, one in all where that is "".

    field: of `InstanceData`. unit: of the limit. price_unit: of its shadow price, `price_per` of
    the limit's unit. least: what stands for the whole of a limit that is 0 when a relaxation is
    taken relative to it, None where the limit is a property of the hardware, which nobody relaxes.
    """

    field: str
    axis: str
    unit: str
    price_unit: str
    price_per: float
    least: float | None


_POINT = "$ per percentage point"

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "delay": Kind("delay_limit_ms", "query_types", "ms", "$ per ms", 1.0, 1.0),
        "error": Kind("error_limit", "query_types", "fraction", _POINT, 0.01, 0.01),
        "unmet cap": Kind("unmet_cap", "query_types", "fraction of queries", _POINT, 0.01, 0.01),
        "budget": Kind("budget_usd", "", "$", "$ per $ of budget", 1.0, 1.0),
        "storage": Kind("storage_gb", "", "GB", "$ per GB", 1.0, 1.0),
        "memory": Kind("memory_gb", "tiers", "GB", "$ per GB of every GPU", 1.0, None),
        "compute": Kind(
            "compute_tflops", "tiers", "TFLOP/s", "$ per TFLOP/s of every GPU", 1.0, None
        ),
        "GPUs": Kind("tier_limit", "tiers", "GPUs", "$ per GPU", 1.0, 1.0),
    }
)
"""By the first words of a limit's name; "delay of Code_Gen" is of the kind "delay"."""


class Place(NamedTuple):
    """Where a limit is in `InstanceData`: its kind and the index along the kind's axis, or ()."""

    name: str
    kind: Kind
    index: tuple[int, ...]


def place_of(instance: Instance, limit: str) -> Place:
    """Return the place of a named limit. Raises InputError on a name that the instance has not."""
    name, _, owner = limit.partition(" of ")
    kind = KINDS.get(name)
    if kind is not None and not kind.axis and limit == name:
        return Place(name, kind, ())
    if kind is not None and kind.axis and owner in getattr(instance, kind.axis):
        return Place(name, kind, (getattr(instance, kind.axis).index(owner),))
    raise InputError(
        f"Unknown limit `{limit}`; there are budget, storage, and delay, error and unmet cap of a "
        "query type, memory, compute and GPUs of a tier."
    )


def value_of(instance: Instance, limit: str) -> float:
    """The limit itself, in its unit. Raises InputError as `place_of`."""
    place = place_of(instance, limit)
    return float(getattr(instance.data, place.kind.field)[place.index])


def with_limits(instance: Instance, values: Mapping[str, float]) -> Instance:
    """The instance with these limits, each in its unit. Raises InputError as `place_of`."""
    data = instance.data
    for limit, value in values.items():
        place = place_of(instance, limit)
        changed = np.array(getattr(data, place.kind.field), np.float64)
        changed[place.index] = value
        data = data._replace(**{place.kind.field: changed})
    return instance._replace(data=data)


class Relaxation(NamedTuple):
    """A limit that is to be relaxed from what it is `to` what it must be, in `unit`.

    relative: to / from - 1, infinite where the limit was 0. to: infinite where no relaxation of
    this limit helps (only among those that are tried alone).
    """

    limit: str
    from_: float
    to: float
    unit: str
    relative: float

    @property
    def words(self) -> str:
        """Such as "error of Math_Solving: 0.1 -> 0.112 (+12 %)"."""
        if math.isinf(self.to):
            return f"{self.limit}: no relaxation of it alone is enough"
        unit = "" if self.unit.startswith("fraction") else f" {self.unit}"
        percent = 100.0 * self.relative
        size = f"{percent:.0f}" if percent >= 1000.0 else f"{percent:.3g}"
        more = "" if math.isinf(percent) else f" (+{size} %)"
        return f"{self.limit}: {self.from_:.6g} -> {self.to:.6g}{unit}{more}"

    def record(self) -> dict[str, Any]:
        """The fields by name ("from" without a dash), None for what is infinite."""
        fields = {"limit": self.limit, "from": self.from_, "to": self.to, "unit": self.unit}
        fields["relative"] = self.relative
        return {
            key: None if isinstance(value, float) and math.isinf(value) else value
            for key, value in fields.items()
        }


def relaxed(instance: Instance, relaxations: Sequence[Relaxation]) -> Instance:
    """Return the instance with the limits as they are to be. Raises InputError on unknown names."""
    return with_limits(instance, {each.limit: each.to for each in relaxations})
