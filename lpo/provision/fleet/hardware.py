"""GPU tiers and models of the built-in catalogue: data-sheet numbers, prices and assumptions.

Which number is a data sheet's, a list price or an assumption, and its source: docs/fleet.md.
"""

from typing import NamedTuple


class GpuTier(NamedTuple):
    """One GPU as it is rented.

    memory_gb: decimal GB. fp16, fp8, int8: peak dense tensor TFLOP/s (TOP/s), None where the GPU
    has no such mode. tdp_w: power limit. usd_per_hour: list price of one GPU, on demand.
    context_w: what a loaded model adds to bare idle power. utilisation: share of the peak that
    prefill reaches. doubling: what remains of the speed a GPU when tensor parallelism doubles.
    boot_s: from the order to a machine that runs.
    """

    name: str
    memory_gb: float
    fp16: float
    fp8: float | None
    int8: float | None
    tdp_w: float
    usd_per_hour: float
    context_w: float
    utilisation: float
    doubling: float
    boot_s: float


class ModelSize(NamedTuple):
    """parameters: weights, and multiplications a token. kv_bytes: cache of a token in FP16."""

    name: str
    parameters: float
    kv_bytes: float


# Prices: dollars per GPU-hour, spring 2026. Utilisation, doubling and boot times: assumptions.
L40S = GpuTier("L40S", 48, 362.05, 733, 733, 350, 0.79, 66, 0.50, 0.85, 60)
A100 = GpuTier("A100-80GB", 80, 312, None, 624, 400, 1.39, 50, 0.50, 0.95, 120)
H100 = GpuTier("H100", 80, 989.4, 1978.9, 1978.9, 700, 2.69, 50, 0.50, 0.95, 180)
H200 = GpuTier("H200", 141, 989.4, 1978.9, 1978.9, 700, 3.59, 50, 0.50, 0.95, 180)
MI300X = GpuTier("MI300X", 192, 1307.4, 2614.9, 2614.9, 750, 1.85, 50, 0.35, 0.95, 600)
B200 = GpuTier("B200", 180, 2250, 4500, 4500, 1000, 5.98, 50, 0.50, 0.95, 300)

# 80 layers, 8 key-value heads of 128, keys and values, two bytes each.
LLAMA_70B = ModelSize("Llama-3.1-70B", 70.6e9, 80 * 8 * 128 * 2 * 2)

BYTES_PER_PARAMETER = {"fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.56}
"""Of the weights; int4 with scales and the layers that stay in FP16 (a 70B file has 39.8 GB)."""


def peak_tflops(gpu: GpuTier, precision: str) -> float | None:
    """Return the peak of a GPU at a precision, None where it has no such mode.

    int4 is of the weights alone: they are widened and multiplied in FP16.
    """
    return {"fp16": gpu.fp16, "fp8": gpu.fp8, "int8": gpu.int8, "int4": gpu.fp16}[precision]


def spare_memory_gb(gpu: GpuTier, model: ModelSize, precision: str, tensor_parallel: int) -> float:
    """Return what 92 % of a replica's memory leaves for the cache beside the weights, in GB."""
    weights_gb = model.parameters * BYTES_PER_PARAMETER[precision] / 1e9
    return 0.92 * gpu.memory_gb * tensor_parallel - weights_gb
