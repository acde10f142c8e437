"""Instances drawn from the published tables: docs/allocate_instances.md."""

from collections.abc import Sequence

import numpy as np

from lpo.allocate.instance import Instance, InstanceData, check_instance
from lpo.allocate.instances import presets as tables
from lpo.allocate.instances.enlarge import vary, with_witness
from lpo.allocate.instances.impact import delay_levels, draw_factors, error_levels
from lpo.allocate.instances.physical import generate_catalog
from lpo.allocate.instances.presets import PRESETS, Picked, Preset, published
from lpo.errors import InputError

PRESET_NAMES = (*PRESETS, "catalog")

Random = np.random.Generator | np.random.RandomState


def generate(
    preset: str = "robust",
    seed: int = 42,
    *,
    legacy_stream: bool = False,
    size: tuple[int, int, int] | None = None,
) -> Instance:
    """Return a random instance; the same arguments give the same numbers.

    **Main arguments:**

    - `preset`: "robust", "det" or "paper", the settings of the published robust script,
      deterministic script and parameter module; "catalog", data-sheet numbers in physical units,
      to be solved with `legacy_units=False`.
    - `seed`: of a private generator. NumPy's global state is neither read nor changed.

    **Other arguments:**

    - `legacy_stream`: draw from a private `RandomState` in the published order, which gives the
      published instances bit for bit.
    - `size`: numbers of query types, models and tiers (I, J, K). None: the published 6, 6, 10.
      Otherwise `lpo.allocate.instances.enlarge` varies the published ones, and the instance is made
      feasible for the `corrected` profile.

    Raises InputError on an unknown preset, a negative seed, a size with a number below 1, and on
    `legacy_stream` or `catalog` together with a size, which nobody published.
    """
    if preset not in PRESET_NAMES:
        raise InputError(f"`preset` must be one of {', '.join(PRESET_NAMES)}, got {preset!r}.")
    if not 0 <= seed < 2**32:
        raise InputError(f"`seed` must be a whole number from 0 to 2^32 - 1, got {seed}.")
    if size is not None and min(size) < 1:
        raise InputError(f"`size` must be three whole numbers of at least 1, got {size}.")
    if legacy_stream and (size is not None or preset == "catalog"):
        raise InputError("`legacy_stream` reproduces published instances; it has no other size.")
    if preset == "catalog":
        if size is not None:
            raise InputError("`size` varies the published tables; `catalog` has real GPUs only.")
        return check_instance(generate_catalog(seed, np.random.default_rng(seed)))

    rng: Random = np.random.RandomState(seed) if legacy_stream else np.random.default_rng(seed)
    chosen = PRESETS[preset]
    picked = published() if size is None else vary(size, np.random.default_rng([seed, 1]))
    data = _data(chosen, picked, rng)
    if size is not None:
        data = with_witness(data)
    end = "" if size is None else "_" + "x".join(map(str, size))
    return check_instance(
        Instance(
            name=f"{preset}_seed{seed}{'_legacy' if legacy_stream else ''}{end}",
            query_types=tuple(entry.name for entry in picked.query_types),
            models=tuple(entry.name for entry in picked.models),
            tiers=tuple(entry.name for entry in picked.tiers),
            tensor_parallel=tables.TENSOR_PARALLEL,
            gamma_delay=float(chosen.gamma),
            gamma_error=float(chosen.gamma),
            data=data,
        )
    )


def _data(chosen: Preset, picked: Picked, rng: Random) -> InstanceData:
    """Draw in the published order, then the impact factors, which are not in it."""
    types, models, tiers = picked.query_types, picked.models, picked.tiers
    settings = list(picked.settings)
    low, high = np.array([entry.arrivals for entry in types]).T
    if isinstance(rng, np.random.RandomState):
        arrivals = rng.randint(low, high)
    else:
        arrivals = rng.integers(low, high)
    price = _column(tiers, "usd_per_hour") * rng.uniform(*tables.PRICE_SPREAD, len(tiers))
    storage_price = rng.uniform(*tables.STORAGE_USD_PER_GB_HOUR)
    tflop = _draws(rng, _column(types, "tflop"))
    data_per_token = _draws(rng, _column(types, "data"))
    delay_price = _draws(rng, np.array(chosen.delay_usd_per_ms)[settings])
    unmet_price = _draws(rng, _column(types, "unmet_usd")) * chosen.unmet_scale
    delay, error = performance(
        _draws(rng, _column(types, "base_delay")),
        _draws(rng, _column(types, "base_error")),
        picked,
        chosen.tiers_count,
    )
    delay_deviation = delay * rng.uniform(*tables.DEVIATION, delay.shape)
    error_deviation = error * rng.uniform(*tables.DEVIATION, error.shape)
    impact_delay, impact_error = draw_impact(picked, rng)
    return InstanceData(
        weights_gb=_column(models, "weights_gb"),
        kv_gb_per_token=_column(models, "kv_gb_per_token"),
        memory_gb=_column(tiers, "memory_gb"),
        compute_tflops=_column(tiers, "tflops"),
        price_usd_per_hour=price,
        tier_limit=np.full(len(tiers), np.inf),
        input_tokens=_column(types, "input_tokens"),
        output_tokens=_column(types, "output_tokens"),
        arrivals_per_hour=arrivals,
        tflop_per_kilotoken=tflop,
        data_per_token=data_per_token,
        delay_usd_per_ms=delay_price,
        unmet_usd=unmet_price,
        unmet_cap=np.full(len(types), chosen.unmet_cap),
        delay_limit_ms=np.array(chosen.delay_limit_ms)[settings],
        error_limit=np.array(chosen.error_limit)[settings],
        delay_ms_per_token=delay,
        delay_deviation=delay_deviation,
        error_rate=error,
        error_deviation=error_deviation,
        residency_h=np.full(delay.shape, tables.RESIDENCY_H),
        storage_gb=chosen.storage_gb,
        storage_usd_per_gb_hour=storage_price,
        budget_usd=chosen.budget_usd,
        rental_hours=tables.RENTAL_HOURS,
        impact_delay=impact_delay,
        impact_error=impact_error,
    )


def performance(
    base_delay: np.ndarray, base_error: np.ndarray, picked: Picked, tiers_count: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return delay (ms/token) and error (fraction), [I, J, K], from those of the types [I].

    delay = base x model factor x P_0 / P_k, error = base / quality x precision factor, where P_0
    is the first published tier's compute. Without `tiers_count` the last factors are 1.
    """
    factor, quality = _column(picked.models, "delay_factor"), _column(picked.models, "quality")
    speed, precision = np.ones((2, len(picked.tiers)))
    if tiers_count:
        speed = tables.TIERS[0].tflops / _column(picked.tiers, "tflops")
        precision = np.array([tables.PRECISION_ERROR[tier.precision] for tier in picked.tiers])
    delay = base_delay[:, None, None] * factor[:, None] * speed
    return delay, base_error[:, None, None] / quality[:, None] * precision


def draw_impact(picked: Picked, rng: Random) -> tuple[np.ndarray, np.ndarray]:
    """Impact factors of delay and of error, [J, K] each, drawn in this order."""
    complexity = [model.complexity for model in picked.models]
    tflops = [tier.tflops for tier in picked.tiers]
    precisions = [tier.precision for tier in picked.tiers]
    return (
        draw_factors(delay_levels(complexity, tflops), rng),
        draw_factors(error_levels(complexity, tflops, precisions), rng),
    )


def _column(entries: Sequence[tuple], field: str) -> np.ndarray:
    return np.array([getattr(entry, field) for entry in entries], np.float64)


def _draws(rng: Random, ranges: np.ndarray) -> np.ndarray:
    return rng.uniform(ranges[:, 0], ranges[:, 1])
