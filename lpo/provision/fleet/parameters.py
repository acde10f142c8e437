"""The numbers of a fleet problem: what K configurations can do and cost in one slot."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Fleet(NamedTuple):
    """K configurations (model x GPU tier x precision x tensor-parallel degree) in slots of a bin.

    capacity: [K] tokens a slot and replica. price: [K] $ a slot and replica, rent and idle power.
    energy: [K] $ a token served, beyond idle. startup: [K] $ to start a replica. initial: [K]
    replicas that run before the first slot. unserved: $ for a token not served, scalar. limit: [K]
    most replicas, infinite where there is none. gpus: [K] GPUs of a replica.
    With I services that share the configurations, capacity and energy are [I, K], 0 capacity where
    a configuration cannot serve a service, and unserved is [I]. NumPy float64 or JAX arrays.
    """

    capacity: Any
    price: Any
    energy: Any
    startup: Any
    initial: Any
    unserved: Any
    limit: Any
    gpus: Any


def make_fleet(
    capacity: Any,
    price: Any,
    energy: Any,
    startup: Any,
    unserved: Any,
    *,
    initial: Any = 0.0,
    limit: Any = np.inf,
    gpus: Any = 1.0,
) -> Fleet:
    """Return the checked `Fleet` of these numbers, scalars repeated for every configuration.

    Shapes and units are those of `Fleet`; energy [K] is repeated for every service. Raises
    InputError as `check`.
    """
    rate = np.asarray(capacity, np.float64)
    if rate.ndim not in (1, 2) or rate.size == 0:
        raise InputError(f"`capacity` must be [K] or [services, K], got shape {rate.shape}.")
    shapes = {"energy": rate.shape, "unserved": rate.shape[:-1]}
    given = {
        "capacity": rate,
        "price": price,
        "energy": energy,
        "startup": startup,
        "initial": initial,
        "unserved": unserved,
        "limit": limit,
        "gpus": gpus,
    }
    for name, value in given.items():
        shape = rate.shape if name == "capacity" else shapes.get(name, rate.shape[-1:])
        array = np.asarray(value, np.float64)
        try:
            given[name] = np.broadcast_to(array, shape).copy()
        except ValueError:
            raise InputError(f"`{name}` must have shape {shape}, got {array.shape}.") from None
    return check(Fleet(**given))


def check(fleet: Fleet) -> Fleet:
    """Return the fleet as float64 NumPy arrays when its numbers have a meaning.

    Raises InputError on shapes that do not agree, numbers that are not finite (a limit may be
    infinite) or negative, a configuration or service without any capacity, replicas of no GPU, and
    more initial replicas than the limit.
    """
    checked = Fleet(*(np.asarray(field, np.float64) for field in fleet))
    capacity = checked.capacity
    if capacity.ndim not in (1, 2) or capacity.size == 0:
        raise InputError(f"`capacity` must be [K] or [services, K], got shape {capacity.shape}.")
    for name, array in checked._asdict().items():
        expected = {
            "capacity": capacity.shape,
            "energy": capacity.shape,
            "unserved": capacity.shape[:-1],
        }.get(name, capacity.shape[-1:])
        if array.shape != expected:
            raise InputError(f"`{name}` must have shape {expected}, got {array.shape}.")
        bad = np.isnan(array) | (array < 0) | (np.isinf(array) & (name != "limit"))
        if bad.any():
            allowed = "not negative" if name == "limit" else "finite and not negative"
            raise InputError(f"`{name}` must be {allowed}, got {array[bad].flat[0]:g}.")
    by_service = np.atleast_2d(capacity)
    if not by_service.any(axis=0).all():
        raise InputError(f"Configuration {np.argmin(by_service.any(axis=0))} has no capacity.")
    if not by_service.any(axis=1).all():
        raise InputError(f"No configuration serves service {np.argmin(by_service.any(axis=1))}.")
    if not checked.gpus.all():
        raise InputError("`gpus` must be positive, got 0.")
    over = checked.initial > checked.limit
    if over.any():
        k = int(np.argmax(over))
        raise InputError(
            f"`initial` of configuration {k} must be at most its limit {checked.limit[k]:g}, "
            f"got {checked.initial[k]:g}."
        )
    return checked


def services(fleet: Fleet) -> int | None:
    """Return the number of services that share the fleet, None for one without an axis for it."""
    return fleet.capacity.shape[0] if fleet.capacity.ndim == 2 else None
