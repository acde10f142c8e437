"""The preset `catalog`: real GPUs and models in physical units. docs/allocate_instances.md.

To be solved with `legacy_units=False`. Capacities, sizes and speeds come from data sheets; error
rates, prices of waiting and limits are assumptions, as they are in the published tables.
"""

from itertools import starmap
from typing import NamedTuple

import numpy as np

from lpo import hardware
from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.instances.impact import delay_levels, draw_factors, error_levels
from lpo.allocate.instances.presets import DEVIATION, PRECISION_ERROR, TENSOR_PARALLEL, Range
from lpo.errors import InputError
from lpo.hardware import BYTES_PER_PARAMETER, GpuTier, ModelSize, peak_tflops


class ServedType(NamedTuple):
    """A query type; ranges are of uniform draws.

    arrivals: queries/h, times `ARRIVALS`. megabytes: of a stored token. delay_usd_per_ms: of a
    query. base_error: of a model of quality 1 in FP16. typical: the smallest model that keeps the
    error limit in FP16 at the middle of the range; its work a token is taken for all models,
    because an instance has one a query type.
    """

    name: str
    input_tokens: float
    output_tokens: float
    arrivals: Range
    megabytes: float
    delay_usd_per_ms: Range
    unmet_usd: Range
    base_error: Range
    delay_limit_ms: float
    error_limit: float
    typical: ModelSize


class ServedModel(NamedTuple):
    """A model, what it divides the error by, and its complexity (0 low to 2 high)."""

    size: ModelSize
    quality: float
    complexity: int


_8B, _31B = hardware.LLAMA_8B, hardware.LLAMA_31B

# Tokens, arrivals before `ARRIVALS` and error rates as published. A token of text takes 4 bytes,
# one of an image of 1 MB a kilobyte, one of a video of 10 MB five. Assumed: an hour of a user's
# waiting is worth 2 to 18 cents, a dropped query 0.2 to 2 cents.
# fmt: off
_ROWS = (
    ("Summarization", 512, 256, (80, 120), 4e-6,
     (5e-9, 1e-8), (.003, .005), (.03, .05), 1500, .020, _8B),
    ("Code_Gen", 256, 512, (60, 100), 4e-6,
     (1.5e-8, 2.5e-8), (.008, .010), (.02, .03), 3000, .012, _8B),
    ("Translation", 128, 128, (100, 140), 4e-6,
     (5e-9, 1e-8), (.002, .004), (.02, .03), 800, .012, _8B),
    ("Math_Solving", 64, 256, (40, 80), 4e-6,
     (1e-8, 2e-8), (.008, .010), (.05, .07), 2000, .016, _31B),
    ("Image_Gen", 32, 1024, (20, 60), 1e-3,
     (2e-8, 3e-8), (.015, .020), (.06, .08), 4000, .040, _8B),
    ("Video_Gen", 48, 2048, (10, 30), 5e-3,
     (3e-8, 5e-8), (.015, .020), (.08, .10), 8000, .050, _8B),
)
# fmt: on
TYPES = tuple(starmap(ServedType, _ROWS))

MODELS = (
    ServedModel(hardware.LLAMA_1B, 0.5, 0),
    ServedModel(hardware.LLAMA_3B, 1.5, 0),
    ServedModel(hardware.LLAMA_8B, 3, 1),
    ServedModel(hardware.LLAMA_70B, 8, 2),
    ServedModel(hardware.LLAMA_31B, 5, 2),
    ServedModel(hardware.LLAMA_11B_VISION, 2.5, 1),
)

TIERS = (
    (hardware.A6000, "FP16"),
    (hardware.A6000, "INT8"),
    (hardware.A6000, "INT4"),
    (hardware.RTX_4090, "FP16"),
    (hardware.RTX_4090, "INT8"),
    (hardware.RTX_4090, "INT4"),
    (hardware.A100_40GB, "FP16"),
    (hardware.A100_40GB, "INT8"),
    (hardware.H100, "FP16"),
    (hardware.H100, "INT8"),
)

ARRIVALS = 8000  # times the published rates, so that compute limits what a deployment serves
BANDWIDTH_SHARE = 0.6  # of the memory bandwidth that decoding reaches
STORAGE_GB = 1000.0
STORAGE_USD_PER_GB_HOUR = 0.08 / 730  # a general-purpose cloud disk, $0.08 a GB and month
BUDGET_USD = 1000.0
RENTAL_HOURS = 12.0
UNMET_CAP = 0.01
GAMMA = 2.0


def generate_catalog(seed: int, rng: np.random.Generator) -> Instance:
    """Return an instance of real GPUs and models with drawn demand, prices of waiting and errors.

    Draws, in this order: arrivals, delay prices, prices of dropped queries, base errors, relative
    deviations of delay and of error [I, J, K], impact factors of delay and of error [J, K].
    """
    types, models = TYPES, [entry.size for entry in MODELS]
    tflops = [_tflops(gpu, precision) for gpu, precision in TIERS]
    low, high = np.array([entry.arrivals for entry in types]).T
    arrivals = rng.integers(ARRIVALS * low, ARRIVALS * high)
    delay_price = _draws(rng, [entry.delay_usd_per_ms for entry in types])
    unmet_price = _draws(rng, [entry.unmet_usd for entry in types])
    base_error = _draws(rng, [entry.base_error for entry in types])

    delay = np.array([[[_delay(t, m, *k) for k in TIERS] for m in models] for t in types])
    quality = np.array([entry.quality for entry in MODELS])
    precision = np.array([PRECISION_ERROR[mode] for _, mode in TIERS])
    error = base_error[:, None, None] / quality[:, None] * precision
    delay_deviation = delay * rng.uniform(*DEVIATION, delay.shape)
    error_deviation = error * rng.uniform(*DEVIATION, error.shape)

    complexity = [entry.complexity for entry in MODELS]
    modes = [mode for _, mode in TIERS]
    impact_delay = draw_factors(delay_levels(complexity, tflops), rng)
    impact_error = draw_factors(error_levels(complexity, tflops, modes), rng)
    size = np.array([t.input_tokens + t.output_tokens for t in types])
    data = InstanceData(
        weights_gb=[model.parameters * BYTES_PER_PARAMETER["fp16"] / 1e9 for model in models],
        kv_gb_per_token=[model.kv_bytes / 1e9 for model in models],
        memory_gb=[gpu.memory_gb for gpu, _ in TIERS],
        compute_tflops=tflops,
        price_usd_per_hour=[gpu.usd_per_hour for gpu, _ in TIERS],
        tier_limit=np.full(len(TIERS), np.inf),
        input_tokens=[entry.input_tokens for entry in types],
        output_tokens=[entry.output_tokens for entry in types],
        arrivals_per_hour=arrivals,
        tflop_per_kilotoken=[2 * entry.typical.parameters * 1000 / 1e12 for entry in types],
        data_per_token=[entry.megabytes for entry in types],
        delay_usd_per_ms=delay_price,
        unmet_usd=unmet_price,
        unmet_cap=np.full(len(types), UNMET_CAP),
        delay_limit_ms=[entry.delay_limit_ms for entry in types],
        error_limit=[entry.error_limit for entry in types],
        delay_ms_per_token=delay,
        delay_deviation=delay_deviation,
        error_rate=error,
        error_deviation=error_deviation,
        residency_h=delay * size[:, None, None] / 3.6e6,
        storage_gb=STORAGE_GB,
        storage_usd_per_gb_hour=STORAGE_USD_PER_GB_HOUR,
        budget_usd=BUDGET_USD,
        rental_hours=RENTAL_HOURS,
        impact_delay=impact_delay,
        impact_error=impact_error,
    )
    return Instance(
        name=f"catalog_seed{seed}",
        query_types=tuple(entry.name for entry in types),
        models=tuple(model.name for model in models),
        tiers=tuple(f"{gpu.name}_{mode}" for gpu, mode in TIERS),
        tensor_parallel=TENSOR_PARALLEL,
        gamma_delay=GAMMA,
        gamma_error=GAMMA,
        data=data,
    )


def _delay(query: ServedType, model: ModelSize, gpu: GpuTier, mode: str) -> float:
    """Milliseconds a token, input and output together, of a query on one GPU.

    A prompt is computed at the share of the peak that prefill reaches; a token that is generated
    reads all weights from memory, at the precision of the tier.
    """
    prefill_s = 2.0 * model.parameters / (gpu.utilisation * _tflops(gpu, mode) * 1e12)
    weight_bytes = model.parameters * BYTES_PER_PARAMETER[mode.lower()]
    decode_s = weight_bytes / (BANDWIDTH_SHARE * gpu.gb_per_s * 1e9)
    seconds = query.input_tokens * prefill_s + query.output_tokens * decode_s
    return 1e3 * seconds / (query.input_tokens + query.output_tokens)


def _tflops(gpu: GpuTier, mode: str) -> float:
    peak = peak_tflops(gpu, mode.lower())
    if peak is None:
        raise InputError(f"{gpu.name} has no {mode} mode.")
    return peak


def _draws(rng: np.random.Generator, ranges: list[Range]) -> np.ndarray:
    low, high = np.array(ranges).T
    return rng.uniform(low, high)
