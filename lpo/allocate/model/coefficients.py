"""What a deployment and a route cost, need and risk. docs/allocate.md.

Array operators only, so that the same lines serve NumPy in a solver and JAX in a layer.
"""

from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.instance import InstanceData, tokens
from lpo.allocate.model.columns import Columns
from lpo.allocate.options import Options, Profile, StorageAccounting
from lpo.allocate.uncertainty import Box, Budget, UncertaintySet

_SECONDS = 3600.0
_MB = 1e-3  # GB


class Coefficients(NamedTuple):
    """Numbers of deployments [C], routes [R], exposures [S] and types [I].

    **Deployments**, one replica: rent [C] $ a rental period. storage_gb [C], and storage_usd.
    spare_gb [C] a GPU, memory that the weights leave. tflops [C] compute.
    **Routes**, the whole type served there: cache_gb [R] a GPU. load [R], compute, in the unit of
    tflops. data_usd [R]. delay, delay_deviation [R] ms a query; error, error_deviation [R].
    **Exposures**: kept_delay, kept_error [S], share of the uncertainty that routing leaves.
    **Types**: delay_usd [I] for a millisecond of mean delay, unmet_usd [I] for dropping all.
    """

    rent: Any
    storage_gb: Any
    storage_usd: Any
    spare_gb: Any
    tflops: Any
    cache_gb: Any
    load: Any
    data_usd: Any
    delay: Any
    delay_deviation: Any
    error: Any
    error_deviation: Any
    kept_delay: Any
    kept_error: Any
    delay_usd: Any
    unmet_usd: Any


def coefficients(columns: Columns, data: InstanceData, options: Options) -> Coefficients:
    """Return the numbers of `data` for these columns, NumPy or JAX as `data` is."""
    j, k, n = columns.model, columns.tier, columns.degree
    i, c = columns.route_type, columns.route_deployment
    place = (i, j[c], k[c])
    L = tokens(data)
    hours = data.rental_hours if options.horizon_consistent else 1.0
    if options.legacy_units:
        work, gigabyte = data.tflop_per_kilotoken * L, 1.0
    else:
        per_second = data.arrivals_per_hour / _SECONDS
        work, gigabyte = data.tflop_per_kilotoken / 1000.0 * L * per_second, _MB
    # the published delay limit has another divisor, on its right side
    degree = 1 if options.published else n[c]
    pair = (columns.pair_model, columns.pair_tier)
    on = 1.0 if options.decision_dependent else 0.0
    kept = [1.0 - on * impact[pair] for impact in (data.impact_delay, data.impact_error)]
    storage_rate = data.rental_hours * data.storage_usd_per_gb_hour
    return Coefficients(
        rent=data.rental_hours * data.price_usd_per_hour[k] * n,
        storage_gb=data.weights_gb[j],
        storage_usd=storage_rate * data.weights_gb[j],
        spare_gb=data.memory_gb[k] - data.weights_gb[j] / n,
        tflops=options.utilisation * data.compute_tflops[k] * n,
        cache_gb=data.kv_gb_per_token[j[c]]
        / n[c]
        * (L * data.arrivals_per_hour)[i]
        * data.residency_h[place],
        load=work[i],
        data_usd=storage_rate * gigabyte * (data.data_per_token * L * data.arrivals_per_hour)[i],
        delay=data.delay_ms_per_token[place] * L[i] / degree,
        delay_deviation=data.delay_deviation[place] * L[i] / degree,
        error=data.error_rate[place],
        error_deviation=data.error_deviation[place],
        kept_delay=kept[0][columns.exposure_pair],
        kept_error=kept[1][columns.exposure_pair],
        delay_usd=hours * data.delay_usd_per_ms * data.arrivals_per_hour,
        unmet_usd=hours * data.unmet_usd * data.arrivals_per_hour,
    )


def alone(uncertainty: UncertaintySet, kept: Any) -> Any:
    """Worst case of one route alone, per unit at risk, where `kept` of the uncertainty is left."""
    if isinstance(uncertainty, Budget):
        gamma = uncertainty.gamma
        return kept if gamma >= 1.0 else (kept + gamma - abs(kept - gamma)) / 2.0  # the smaller
    return kept * (uncertainty.scale if isinstance(uncertainty, Box) else uncertainty.radius)


def largest_share(columns: Columns, numbers: Coefficients, replicas: int) -> np.ndarray:
    """[R] largest share of a type that the deployment of a route can serve, at most 1."""
    c = columns.route_deployment
    with np.errstate(divide="ignore", invalid="ignore"):
        memory = np.where(numbers.cache_gb > 0, numbers.spare_gb[c] / numbers.cache_gb, np.inf)
        compute = np.where(numbers.load > 0, numbers.tflops[c] / numbers.load, np.inf)
    return np.clip(replicas * np.minimum(memory, compute), 0.0, 1.0)


def nominal_in_objective(options: Options) -> bool:
    """Whether the mean delay is paid for: the published robust program leaves it out."""
    return options.profile is not Profile.REFERENCE


def stored_by_route(options: Options) -> bool:
    """Whether weights are stored, and paid for, once for every route."""
    return options.storage_accounting is StorageAccounting.ROUTE
