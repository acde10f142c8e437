"""Out of sample: how often a plan breaks its limits when delays and errors are drawn.

Monte Carlo with the same draws for every plan (`realise.py`, `deviations.py`).
docs/allocate.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Uncertainty
from lpo.allocate.validate.cost import cost, objective
from lpo.allocate.validate.deviations import Distribution
from lpo.allocate.validate.performance import check_shapes, delay_share, impacts
from lpo.allocate.validate.realise import Exposures, Plans, simulate
from lpo.errors import InputError

DISTRIBUTIONS = (
    Distribution.UNIFORM,
    Distribution.BETA,
    Distribution.WORST,
    Distribution.CORRELATED,
)
INFLATIONS = (1.0, 1.25, 1.5)


class Policy(NamedTuple):
    """A plan by name, and the model and the sets that it was made with."""

    name: str
    allocation: Allocation
    options: Options
    uncertainty: Uncertainty


class Stress(NamedTuple):
    """Results over policies [P], distributions [D], inflations [F] and query types [I].

    violated [P, D, F]: share of the samples with any limit violated. delay_violated, error_violated
    [P, D, F, I]: the same of one limit. delay_excess, error_excess [P, D, F, I]: mean of
    (realised / limit - 1)_+ over all samples. delay_usd, delay_usd_p95 [P, D, F]: mean and 95 %
    quantile of the realised cost of delay. total_usd [P, D, F]: fixed_usd + delay_usd. fixed_usd
    [P]: rental, storage and unmet demand. in_sample_usd [P]: objective of the model that made the
    plan. price [P]: price of robustness, in_sample_usd over that of the first policy of the same
    profile, less 1.
    """

    policies: tuple[str, ...]
    distributions: tuple[str, ...]
    inflations: tuple[float, ...]
    query_types: tuple[str, ...]
    samples: int
    violated: np.ndarray
    delay_violated: np.ndarray
    error_violated: np.ndarray
    delay_excess: np.ndarray
    error_excess: np.ndarray
    delay_usd: np.ndarray
    delay_usd_p95: np.ndarray
    total_usd: np.ndarray
    fixed_usd: np.ndarray
    in_sample_usd: np.ndarray
    price: np.ndarray


def stress(
    instance: Instance,
    policies: Sequence[Policy],
    key: Array,
    *,
    samples: int = 5000,
    distributions: Sequence[Distribution | str] = DISTRIBUTIONS,
    inflations: Sequence[float] = INFLATIONS,
    truth: Options = CORRECTED,
    chunk: int = 500,
) -> Stress:
    """Draw delays and errors `samples` times and judge every policy by the same draws.

    **Arguments:**

    - `key`: of `jax.random`; equal keys give equal results, whatever the policies beside.
    - `truth`: how realised delays and costs are reckoned for every policy, also for one that a
      published profile made: by default tensor parallelism divides the delay and all costs count.
      With its `decision_dependent`, a draw is scaled to what the impact of the pair leaves.
    - `chunk`: samples drawn at a time; results depend on it in the last digits only.

    Raises InputError on a plan of other shapes, no policy, `samples` or `chunk` below 1, an
    inflation that is negative, and limits that are not positive.
    """
    chosen = _checked(instance, policies, samples, distributions, inflations, chunk)
    usd, plans, exposures = _gather(instance, policies, truth)
    with jax.enable_x64(True):  # a limit that binds needs more digits than float32 has
        inflation = jnp.asarray(inflations, jnp.float64)
        results = [
            [np.asarray(part) for part in (*means, high)]
            for means, high in (
                simulate(plans, exposures, usd, inflation, key, name, samples, chunk)
                for name in chosen
            )
        ]
    judged = [  # [D, P, F, ...] to [P, D, F, ...]
        np.moveaxis(np.stack(values), 0, 1) for values in zip(*results, strict=True)
    ]
    costs = [cost(instance, p.allocation, truth, p.uncertainty) for p in policies]
    fixed = np.array([c.rental + c.storage_model + c.storage_data + c.unmet for c in costs])
    in_sample, price = prices_of_robustness(instance, policies)
    *means, delay_usd, delay_usd_p95 = judged
    return Stress(
        tuple(p.name for p in policies),
        tuple(str(d) for d in chosen),
        tuple(float(s) for s in inflations),
        instance.query_types,
        samples,
        *means,
        delay_usd=delay_usd,
        delay_usd_p95=delay_usd_p95,
        total_usd=fixed[:, None, None] + delay_usd,
        fixed_usd=fixed,
        in_sample_usd=in_sample,
        price=price,
    )


def prices_of_robustness(
    instance: Instance, policies: Sequence[Policy]
) -> tuple[np.ndarray, np.ndarray]:
    """In-sample objectives [P] in $, and [P] how far each is above its profile's first policy."""
    values = [
        objective(cost(instance, p.allocation, p.options, p.uncertainty), p.options)
        for p in policies
    ]
    first: dict[str, float] = {}
    for policy, value in zip(policies, values, strict=True):
        first.setdefault(policy.options.profile, value)
    base = np.array([first[p.options.profile] for p in policies])
    return np.array(values), np.array(values) / base - 1.0


def _checked(
    instance: Instance,
    policies: Sequence[Policy],
    samples: int,
    distributions: Sequence[Distribution | str],
    inflations: Sequence[float],
    chunk: int,
) -> tuple[Distribution, ...]:
    if not policies or not distributions or not inflations:
        raise InputError("A stress test needs a policy, a distribution and an inflation.")
    for policy in policies:
        check_shapes(instance, policy.allocation)
    for name, value in (("samples", samples), ("chunk", chunk)):
        if value < 1:
            raise InputError(f"`{name}` must be at least 1, got {value}.")
    if not all(0.0 <= s < np.inf for s in inflations):
        raise InputError(f"`inflations` must be finite and at least 0, got {tuple(inflations)}.")
    limits = (instance.data.delay_limit_ms, instance.data.error_limit)
    if not all(np.all(np.asarray(limit) > 0) for limit in limits):
        raise InputError("A stress test needs delay and error limits above 0.")
    known = tuple(str(d) for d in Distribution)
    for name in distributions:
        if name not in known:
            raise InputError(f"Unknown distribution `{name}`; known: {', '.join(known)}.")
    return tuple(Distribution(name) for name in distributions)


def _gather(
    instance: Instance, policies: Sequence[Policy], truth: Options
) -> tuple[np.ndarray, Plans, Exposures]:
    """Keep the exposures in use, and divide delays and errors by their limits."""
    data = instance.data
    times = np.stack([delay_share(instance, p.allocation, truth) for p in policies])
    shares = np.stack([np.sum(p.allocation.share, axis=-1) for p in policies])
    delay_limit = np.asarray(data.delay_limit_ms, np.float64)
    times, shares = (
        part / limit[:, None, None]
        for part, limit in ((times, delay_limit), (shares, np.asarray(data.error_limit)))
    )
    i, j, k = np.nonzero(np.any(shares > 0, axis=0))
    left = [1.0 if g is None else 1.0 - g[j, k] for g in impacts(instance, truth)]
    plans = Plans(
        np.sum(data.delay_ms_per_token * times, axis=(2, 3)),
        np.sum(data.error_rate * shares, axis=(2, 3)),
        times[:, i, j, k] * data.delay_deviation[i, j, k] * left[0],
        shares[:, i, j, k] * data.error_deviation[i, j, k] * left[1],
    )
    hours = float(data.rental_hours) if truth.horizon_consistent else 1.0
    usd = hours * data.delay_usd_per_ms * data.arrivals_per_hour * delay_limit
    J, K = instance.shape[1:3]
    return usd, plans, Exposures((i * J + j) * K + k, k, i)
