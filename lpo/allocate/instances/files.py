"""Instances and solutions as JSON files: docs/allocate_instances.md, "Files"."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import RULES, Instance, InstanceData, first_problem
from lpo.allocate.instances.json_objects import (
    has_booleans,
    is_number,
    read_object,
    refuse_unknown,
    write_object,
)
from lpo.errors import InputError

SCHEMA = "lpo.robust_allocation.instance/1"

_NAMES = {"query_types": "query_types", "models": "model_names", "tiers": "gpu_tiers"}
_COUNTS = {"I": "query_types", "J": "model_names", "K": "gpu_tiers"}
_GAMMA = {"gamma_delay": "Gamma_d", "gamma_error": "Gamma_e"}
_DATA = {
    "weights_gb": "B",
    "kv_gb_per_token": "beta",
    "memory_gb": "C_gpu",
    "compute_tflops": "P_gpu",
    "price_usd_per_hour": "p_c",
    "tier_limit": "tier_limit",
    "input_tokens": "h",
    "output_tokens": "f",
    "arrivals_per_hour": "lam",
    "tflop_per_kilotoken": "alpha",
    "data_per_token": "theta",
    "delay_usd_per_ms": "rho",
    "unmet_usd": "phi",
    "unmet_cap": "u_max",
    "delay_limit_ms": "Delta",
    "error_limit": "epsilon",
    "delay_ms_per_token": "d_bar",
    "delay_deviation": "d_hat",
    "error_rate": "e_bar",
    "error_deviation": "e_hat",
    "residency_h": "T_res",
    "storage_gb": "C_storage",
    "storage_usd_per_gb_hour": "p_s",
    "budget_usd": "budget",
    "rental_hours": "rental_hours",
    "impact_delay": "impact_delay",
    "impact_error": "impact_error",
}
_KEYS = {**_NAMES, "tensor_parallel": "tp_degrees", **_GAMMA, **_DATA}
_OPTIONAL = {"tier_limit", "impact_delay", "impact_error"}
_WITHOUT_MEANING = {"seed", "expected", "lp_relaxation_corrected"}


def read_instance(path: str | Path) -> Instance:
    """Read an instance file.

    Impact factors that only a solved case under `expected` has are the instance's.
    Raises InputError, which names file, key and index, on a file that is missing or no JSON
    object, a key that is missing, unknown or there twice, and whatever `check_instance` refuses.
    """
    given = read_object(path)
    if given.get("schema") != SCHEMA:
        raise InputError(f"{path}: `schema` must be {SCHEMA!r}, got {given.get('schema')!r}.")
    known = {"schema", "name", *_COUNTS, *_KEYS.values(), *_WITHOUT_MEANING}
    refuse_unknown(given, known, path)
    for key in ("name", *_COUNTS, *_KEYS.values()):
        if key not in given and key not in _OPTIONAL:
            raise InputError(f"{path}: key `{key}` is missing.")
    if not isinstance(given["name"], str):
        raise InputError(f"{path}: `name` must be text, got {given['name']!r}.")
    for key in (*_NAMES.values(), "tp_degrees"):
        if not isinstance(given[key], list):
            raise InputError(f"{path}: `{key}` must be a list, got {given[key]!r}.")
    for count, key in _COUNTS.items():
        if has_booleans(given[count]) or given[count] != len(given[key]):
            raise InputError(
                f"{path}: `{count}` is {given[count]}, but `{key}` has {len(given[key])} names."
            )
    for key in _GAMMA.values():
        if not is_number(given[key]) and given[key] is not None:
            raise InputError(f"{path}: `{key}` must be a number or null, got {given[key]!r}.")

    for key in (*_DATA.values(), "tp_degrees"):
        if has_booleans(given.get(key)):
            raise InputError(f"{path}: `{key}` must hold numbers, got true or false.")

    shapes = {"I": given["I"], "J": given["J"], "K": given["K"]}
    values: dict[str, Any] = {}
    cases = given.get("expected") or []
    lent = next((case for case in cases if case.get("decision_dependent")), {})
    lent = {key: lent[key] for key in _OPTIONAL & lent.keys()}
    for field, key in _DATA.items():
        default = math.inf if field == "tier_limit" else 0.0
        shape = tuple(shapes[axis] for axis in RULES[field][0])
        values[field] = given.get(key, lent.get(key, np.full(shape, default)))
    if is_number(given["u_max"]):
        values["unmet_cap"] = [given["u_max"]] * given["I"]
    if isinstance(values["tier_limit"], list):
        values["tier_limit"] = [_or_infinite(limit) for limit in values["tier_limit"]]
    instance = Instance(
        given["name"],
        *(tuple(given[key]) for key in _NAMES.values()),
        tensor_parallel=tuple(given["tp_degrees"]),
        **{field: _or_infinite(given[key]) for field, key in _GAMMA.items()},
        data=InstanceData(**values),
    )
    problem = first_problem(instance)
    if problem is not None:
        field, what = problem
        raise InputError(f"{path}: `{_KEYS[field]}`{what}.")
    data = InstanceData(*(np.asarray(entry, np.float64) for entry in instance.data))
    return instance._replace(data=data)


def write_instance(path: str | Path, instance: Instance) -> Path:
    """Write an instance so that `read_instance` gives the same numbers, bit for bit.

    The cap on unmet demand is one number where all types have the same; an infinite limit is null.
    """
    content: dict[str, Any] = {"schema": SCHEMA, "name": instance.name}
    content |= dict(zip(("I", "J", "K"), instance.shape, strict=False))
    content["tp_degrees"] = list(instance.tensor_parallel)
    content |= {key: list(getattr(instance, field)) for field, key in _NAMES.items()}
    content |= {
        key: np.asarray(getattr(instance.data, field)).tolist() for field, key in _DATA.items()
    }
    content |= {key: _or_null(getattr(instance, field)) for field, key in _GAMMA.items()}
    content["tier_limit"] = [_or_null(limit) for limit in content["tier_limit"]]
    if len(set(content["u_max"])) == 1:
        content["u_max"] = content["u_max"][0]
    return write_object(path, content)


def read_solution(path: str | Path, instance: Instance) -> Allocation:
    """Read a solution file of an instance.

    Whether the plan keeps the instance's limits is for `lpo.allocate.validate.audit` to say. Raises
    InputError on a file that is no solution, and on an index, degree, share or number of replicas
    that is out of range or there twice.
    """
    given = read_object(path)
    refuse_unknown(given, {"active", "x", "u", "replicas"}, path)
    for key in ("active", "x", "u"):
        if key not in given:
            raise InputError(f"{path}: key `{key}` is missing.")
    i, j, k, n = instance.shape
    degrees = {degree: place for place, degree in enumerate(instance.tensor_parallel)}
    replicas, share = np.zeros((j, k, n), np.int64), np.zeros((i, j, k, n))
    for entry in _entries(given["active"], "active", 3, path):
        _set(replicas, (*entry[:2], degrees.get(entry[2])), 1, f"{path}: `active` {entry}")
    counts = np.zeros_like(replicas)
    for entry in _entries(given.get("replicas", []), "replicas", 4, path):
        place, where = (*entry[:2], degrees.get(entry[2])), f"{path}: `replicas` {entry}"
        if not isinstance(entry[3], int) or entry[3] < 1:
            raise InputError(f"{where}: replicas must be a whole number of at least 1.")
        _set(counts, place, entry[3], where)
        if replicas[place] == 0:
            raise InputError(f"{where}: is not in `active`.")
    for entry in _entries(given["x"], "x", 5, path):
        where = f"{path}: `x` {entry}"
        if not 0.0 <= entry[4] <= 1.0:
            raise InputError(f"{where}: the share must be in [0, 1].")
        _set(share, (*entry[:3], degrees.get(entry[3])), entry[4], where)
    unmet = given["u"]
    if not isinstance(unmet, list) or len(unmet) != i:
        raise InputError(f"{path}: `u` must be a list of {i} shares, one a query type.")
    for place, dropped in enumerate(unmet):
        if not (is_number(dropped) and 0.0 <= dropped <= 1.0):
            raise InputError(f"{path}: `u`[{place}] must be in [0, 1], got {dropped!r}.")
    return Allocation(np.maximum(replicas, counts), share, np.array(unmet, np.float64))


def write_solution(path: str | Path, instance: Instance, allocation: Allocation) -> Path:
    """Write {"active": [[j, k, n]], "x": [[i, j, k, n, share]], "u": [...]}, n a degree.

    "replicas", [[j, k, n, replicas]], is there where a deployment has more than one.
    """
    degrees = instance.tensor_parallel
    running = [(j, k, degrees[n]) for j, k, n in np.argwhere(allocation.replicas > 0).tolist()]
    counts = allocation.replicas[allocation.replicas > 0].tolist()
    served = np.argwhere(allocation.share != 0.0).tolist()
    content: dict[str, Any] = {
        "active": running,
        "x": [(i, j, k, degrees[n], float(allocation.share[i, j, k, n])) for i, j, k, n in served],
        "u": allocation.unmet.tolist(),
    }
    if max(counts, default=1) > 1:
        content["replicas"] = [(*key, count) for key, count in zip(running, counts, strict=True)]
    return write_object(path, content)


def _set(array: np.ndarray, index: tuple[Any, ...], value: float, where: str) -> None:
    """Set an entry that is still zero, at indices as they came from a file."""
    for place, length in zip(index[:-1], array.shape[:-1], strict=True):
        if not (isinstance(place, int) and 0 <= place < length):
            raise InputError(f"{where}: index {place} must be a whole number below {length}.")
    if index[-1] is None:
        raise InputError(f"{where}: the degree is not one of `tp_degrees`.")
    if array[index] != 0:
        raise InputError(f"{where}: is there twice.")
    array[index] = value


def _entries(given: Any, key: str, length: int, path: str | Path) -> list[list[Any]]:
    if not isinstance(given, list):
        raise InputError(f"{path}: `{key}` must be a list.")
    for entry in given:
        if not (isinstance(entry, list) and len(entry) == length and all(map(is_number, entry))):
            raise InputError(f"{path}: `{key}` must hold lists of {length} numbers, got {entry!r}.")
    return given


def _or_infinite(value: Any) -> Any:
    return math.inf if value is None else value


def _or_null(value: float) -> float | None:
    return None if math.isinf(value) else value
