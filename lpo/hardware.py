"""GPU tiers and models: data-sheet numbers, prices and assumptions.

Which number is a data sheet's, a list price or an assumption, and its source: docs/fleet.md, and
docs/allocate_instances.md for the GPUs and models that only allocation uses.
"""

from typing import NamedTuple


class GpuTier(NamedTuple):
    """One GPU as it is rented.

    memory_gb: decimal GB. fp16, fp8, int8: peak dense tensor TFLOP/s (TOP/s), None where the GPU
    has no such mode. tdp_w: power limit. usd_per_hour: list price of one GPU, on demand.
    context_w: what a loaded model adds to bare idle power. utilisation: share of the peak that
    prefill reaches. doubling: what remains of the speed a GPU when tensor parallelism doubles.
    boot_s: from the order to a machine that runs. gb_per_s: memory bandwidth.
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
    gb_per_s: float


class ModelSize(NamedTuple):
    """parameters: weights, and multiplications a token. kv_bytes: cache of a token in FP16."""

    name: str
    parameters: float
    kv_bytes: float


def cache_bytes(layers: int, kv_heads: int, head_dim: int) -> float:
    """Bytes that a token's keys and values take in FP16."""
    return layers * kv_heads * head_dim * 2 * 2


# Prices: dollars per GPU-hour, spring 2026. Utilisation, doubling and boot times: assumptions.
L40S = GpuTier("L40S", 48, 362.05, 733, 733, 350, 0.79, 66, 0.50, 0.85, 60, 864)
A100 = GpuTier("A100-80GB", 80, 312, None, 624, 400, 1.39, 50, 0.50, 0.95, 120, 2039)
H100 = GpuTier("H100", 80, 989.4, 1978.9, 1978.9, 700, 2.69, 50, 0.50, 0.95, 180, 3350)
H200 = GpuTier("H200", 141, 989.4, 1978.9, 1978.9, 700, 3.59, 50, 0.50, 0.95, 180, 4800)
MI300X = GpuTier("MI300X", 192, 1307.4, 2614.9, 2614.9, 750, 1.85, 50, 0.35, 0.95, 600, 5300)
B200 = GpuTier("B200", 180, 2250, 4500, 4500, 1000, 5.98, 50, 0.50, 0.95, 300, 8000)

# NVIDIA RTX A6000 data sheet: 48 GB, 768 GB/s, 300 W, 309.7 tensor TFLOPS with sparsity, so 154.8
# dense in FP16 and twice that in INT8. Price: assumption, between the RTX 4090 and the L40S.
A6000 = GpuTier("A6000", 48, 154.8, None, 309.7, 300, 0.49, 66, 0.50, 0.85, 60, 768)
# NVIDIA Ada whitepaper (appendix of AD102 GeForce): FP16 and FP8 with FP32 accumulation, dense.
RTX_4090 = GpuTier("RTX_4090", 24, 165.2, 330.3, 660.6, 450, 0.34, 66, 0.50, 0.85, 60, 1008)
# NVIDIA A100 data sheet (SXM4, 40 GB HBM2). Price: quoted at 1.2 to 1.5 in 2026.
A100_40GB = GpuTier("A100_40GB", 40, 312, None, 624, 400, 1.25, 50, 0.50, 0.95, 120, 1555)

# Layers, key-value heads and their size from the configurations that Meta published.
LLAMA_1B = ModelSize("Llama-3.2-1B", 1.24e9, cache_bytes(16, 8, 64))
LLAMA_3B = ModelSize("Llama-3.2-3B", 3.21e9, cache_bytes(28, 8, 128))
LLAMA_8B = ModelSize("Llama-3.1-8B", 8.03e9, cache_bytes(32, 8, 128))
LLAMA_70B = ModelSize("Llama-3.1-70B", 70.6e9, cache_bytes(80, 8, 128))
# 32 layers of self-attention; the 8 of cross-attention keep an image's keys, whatever the tokens.
LLAMA_11B_VISION = ModelSize("Llama-3.2-11B-Vision", 10.6e9, cache_bytes(32, 8, 128))
# No such model was published. 31 billion weights in the shape of Qwen2.5-32B (64 layers, 8 heads).
LLAMA_31B = ModelSize("Llama-3.2-31B", 31e9, cache_bytes(64, 8, 128))

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
