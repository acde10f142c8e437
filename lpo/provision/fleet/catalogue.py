"""Configurations to choose from, and what they cost in slots of a given length: docs/fleet.md."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lpo import hardware
from lpo.errors import InputError
from lpo.hardware import GpuTier, ModelSize
from lpo.provision.fleet.parameters import Fleet, make_fleet


class Configuration(NamedTuple):
    """One way to run a model; everything is per replica, that is, `tensor_parallel` GPUs.

    tokens_per_s: context tokens (prefill). usd_per_hour: rent. active_w, idle_w: power at full load
    and of a loaded replica without requests. startup_s: from the order to the first token, paid at
    rent and idle power.
    """

    name: str
    model: str
    gpu: str
    precision: str
    tensor_parallel: int
    tokens_per_s: float
    usd_per_hour: float
    active_w: float
    idle_w: float
    startup_s: float


class Catalogue(NamedTuple):
    """The fields of `Configuration` by column, K configurations; numbers are [K] float64."""

    names: tuple[str, ...]
    models: tuple[str, ...]
    gpus: tuple[str, ...]
    precisions: tuple[str, ...]
    tensor_parallel: np.ndarray
    tokens_per_s: np.ndarray
    usd_per_hour: np.ndarray
    active_w: np.ndarray
    idle_w: np.ndarray
    startup_s: np.ndarray


def make_catalogue(configurations: Sequence[Configuration]) -> Catalogue:
    """Return the configurations as a catalogue.

    Raises InputError when there is none, on a repeated name, and on numbers out of range: GPUs and
    tokens/s must be positive, the others not negative, active power at least idle power.
    """
    if not configurations:
        raise InputError("A catalogue needs at least one configuration.")
    seen = set()
    for entry in configurations:
        if entry.name in seen:
            raise InputError(f"Configuration `{entry.name}` appears more than once.")
        seen.add(entry.name)
        problem = out_of_range(entry)
        if problem is not None:
            raise InputError(f"Configuration `{entry.name}`: `{problem[0]}` {problem[1]}.")
    columns: list[Any] = [list(column) for column in zip(*configurations, strict=True)]
    words = [tuple(column) for column in columns[:4]]
    numbers = [np.array(column, np.float64) for column in columns[4:]]
    return Catalogue._make([*words, *numbers])


def out_of_range(entry: Configuration) -> tuple[str, str] | None:
    """Return the first field of a configuration that has no meaning, and why; None if all have."""
    for field, number in zip(Configuration._fields[4:], entry[4:], strict=True):
        positive = field in ("tensor_parallel", "tokens_per_s")
        if not (math.isfinite(number) and (number > 0 if positive else number >= 0)):
            return field, f"must be {'positive' if positive else 'not negative'}, got {number:g}"
    if entry.tensor_parallel != int(entry.tensor_parallel):
        return "tensor_parallel", f"must be a whole number of GPUs, got {entry.tensor_parallel:g}"
    if entry.active_w < entry.idle_w:
        return "active_w", f"must be at least `idle_w`, {entry.idle_w:g}, got {entry.active_w:g}"
    return None


ACTIVE_SHARE = 0.86  # of the power limit at full load: 600 W of 700 measured on an H100
BARE_IDLE_SHARE = 0.10  # of the power limit, without a model
LOAD_GB_PER_S = 2.0  # weights read by one GPU
ENGINE_S = 60.0  # start of the serving engine, once the weights are there


def configuration(
    gpu: GpuTier, model: ModelSize, precision: str, tensor_parallel: int
) -> Configuration:
    """Return the configuration that the formulas of docs/fleet.md give.

    Prefill multiplies every weight once a token (2 operations), so

        tokens/s = utilisation x peak x GPUs x doubling^log2(GPUs) / (2 x parameters).

    Raises InputError when the GPU has no such precision or the weights leave no room for the cache
    of 8192 tokens.
    """
    peak = hardware.peak_tflops(gpu, precision)
    if peak is None:
        raise InputError(f"{gpu.name} has no {precision} mode.")
    spare_gb = hardware.spare_memory_gb(gpu, model, precision, tensor_parallel)
    if spare_gb * 1e9 < 8192 * model.kv_bytes:
        raise InputError(f"{model.name} in {precision} does not fit {tensor_parallel} {gpu.name}.")
    rate = gpu.utilisation * peak * 1e12 / (2.0 * model.parameters)
    weights_gb = model.parameters * hardware.BYTES_PER_PARAMETER[precision] / 1e9
    idle_w = BARE_IDLE_SHARE * gpu.tdp_w + gpu.context_w
    return Configuration(
        name=f"{gpu.name} x{tensor_parallel} {precision}",
        model=model.name,
        gpu=gpu.name,
        precision=precision,
        tensor_parallel=tensor_parallel,
        tokens_per_s=rate * tensor_parallel * gpu.doubling ** math.log2(tensor_parallel),
        usd_per_hour=gpu.usd_per_hour * tensor_parallel,
        active_w=ACTIVE_SHARE * gpu.tdp_w * tensor_parallel,
        idle_w=idle_w * tensor_parallel,
        startup_s=gpu.boot_s + ENGINE_S + weights_gb / (LOAD_GB_PER_S * tensor_parallel),
    )


def default_catalogue() -> Catalogue:
    """Return the built-in catalogue: one model of 70 billion parameters on six GPU tiers."""
    choices: tuple[tuple[GpuTier, str, int], ...] = (
        (hardware.L40S, "int4", 1),
        (hardware.L40S, "fp8", 2),
        (hardware.A100, "int4", 1),
        (hardware.A100, "int8", 2),
        (hardware.H100, "fp8", 2),
        (hardware.H100, "fp16", 4),
        (hardware.H200, "fp8", 1),
        (hardware.MI300X, "fp8", 1),
        (hardware.MI300X, "fp16", 1),
        (hardware.B200, "fp8", 1),
    )
    model = hardware.LLAMA_70B
    return make_catalogue([configuration(gpu, model, mode, size) for gpu, mode, size in choices])


def to_fleet(
    choices: Catalogue,
    slot_s: float,
    *,
    unserved_ratio: float = 10.0,
    electricity_usd_per_kwh: float = 0.1,
    initial: np.ndarray | float = 0.0,
    limit: np.ndarray | float = np.inf,
) -> Fleet:
    """Return the fleet of a catalogue in slots of `slot_s` seconds.

    A slot of a replica costs rent and idle power, a token the power above idle, a start both for
    the time it takes. An unserved token costs `unserved_ratio` times the cheapest way to serve one
    on a busy replica: at 10, a replica that already runs is worth its rent from a tenth of its
    capacity on, and starting one is worth it even for a short peak. electricity_usd_per_kwh: 0
    where the rent includes it. initial, limit: [K] replicas, or one number for all.
    Raises InputError on a number out of range.
    """
    for key, number in (("slot_s", slot_s), ("unserved_ratio", unserved_ratio)):
        if not 0.0 < number < math.inf:
            raise InputError(f"`{key}` must be positive and finite, got {number}.")
    if not 0.0 <= electricity_usd_per_kwh < math.inf:
        raise InputError(
            "`electricity_usd_per_kwh` must be finite and not negative, "
            f"got {electricity_usd_per_kwh}."
        )
    usd_per_joule = electricity_usd_per_kwh / 3.6e6
    usd_per_s = choices.usd_per_hour / 3600.0 + choices.idle_w * usd_per_joule
    capacity = choices.tokens_per_s * slot_s
    price = usd_per_s * slot_s
    energy = (choices.active_w - choices.idle_w) * usd_per_joule / choices.tokens_per_s
    return make_fleet(
        capacity,
        price,
        energy,
        usd_per_s * choices.startup_s,
        unserved_ratio * float(np.min(price / capacity + energy)),
        initial=initial,
        limit=limit,
        gpus=choices.tensor_parallel,
    )
