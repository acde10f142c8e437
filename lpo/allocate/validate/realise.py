r"""Realised delays and errors of several plans under the same draws, as one compiled program.

Delay of query type i is $\sum_{jk} (\bar d_{ijk} + s\hat d_{ijk}\xi_{ijk}) L_i \sum_n x_{ijkn}/n$;
its error is the same with $\bar e$, $\hat e$, shares without 1/n, and a xi of its own. The
inflation s >= 1 takes the deviations beyond the set that a plan was protected against.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.allocate.validate.deviations import Distribution, draw

TOLERANCE = 1e-5  # relative: a limit that binds in the plan is not violated by rounding


class Plans(NamedTuple):
    """P plans over I query types and the R exposures (type, model, tier) that any of them uses.

    delay, error [P, I]: nominal, as a multiple of the limit. delay_risk, error_risk [P, R]: largest
    deviations, as a multiple of the limit of the exposure's type.
    """

    delay: Any
    error: Any
    delay_risk: Any
    error_risk: Any


class Exposures(NamedTuple):
    """Of each exposure [R]: its number among all I J K, its tier, its query type."""

    place: Any
    tier: Any
    type: Any


class Judged(NamedTuple):
    """Means over the samples for P plans and F inflations; `stress.Stress`."""

    violated: Any
    delay_violated: Any
    error_violated: Any
    delay_excess: Any
    error_excess: Any
    delay_usd: Any


@partial(jax.jit, static_argnames=("distribution", "samples", "chunk"))
def simulate(
    plans: Plans,
    exposures: Exposures,
    usd: Array,
    inflation: Array,
    key: Array,
    distribution: Distribution,
    samples: int,
    chunk: int,
) -> tuple[Judged, Array]:
    """Judge P plans at the inflations [F] under one law: means, and quantiles of the delay cost.

    usd [I]: dollars of a delay as long as the limit. Sample s has the key `fold_in(key, s)`.
    Chunks of samples run one after the other, and sums are kept; only the delay cost of every
    sample [S, P, F] is stored, for its 95 % quantile [P, F].
    """

    def realised(nominal: Array, risk: Array, scale: Array, xi: Array) -> Array:
        added = jax.ops.segment_sum(risk * xi, exposures.type, num_segments=usd.shape[0])
        return nominal + scale * added

    def judge(plan: Plans, scale: Array, xi: Array) -> Judged:
        delay = realised(plan.delay, plan.delay_risk, scale, xi[0])
        error = realised(plan.error, plan.error_risk, scale, xi[1])
        late, wrong = delay > 1.0 + TOLERANCE, error > 1.0 + TOLERANCE
        longer, more = jnp.maximum(delay - 1.0, 0.0), jnp.maximum(error - 1.0, 0.0)
        return Judged(jnp.any(late | wrong), late, wrong, longer, more, delay @ usd)

    def sample(number: Array) -> Judged:
        # Two draws: the deviations of delay say nothing about those of error.
        own = jax.random.fold_in(key, number)
        xi = draw(own, distribution, exposures.place, exposures.tier, 2)
        over_scales = jax.vmap(judge, in_axes=(None, 0, None))
        return jax.vmap(over_scales, in_axes=(0, None, None))(plans, inflation, xi)

    def add(sums: Judged, numbers: Array) -> tuple[Judged, Array]:
        counted = (numbers < samples).astype(usd.dtype)  # the last chunk may be longer than needed
        judged = jax.vmap(sample)(numbers)
        parts = [s + jnp.tensordot(counted, v, axes=1) for s, v in zip(sums, judged, strict=True)]
        return Judged(*parts), judged.delay_usd

    chunks = -(-samples // chunk)
    numbers = jnp.arange(chunks * chunk).reshape(chunks, chunk)
    shape = (plans.delay.shape[0], inflation.shape[0])
    once = jnp.zeros(shape, usd.dtype)
    of_type = jnp.zeros((*shape, usd.shape[0]), usd.dtype)
    start = Judged(once, of_type, of_type, of_type, of_type, once)
    sums, stored = jax.lax.scan(add, start, numbers)
    stored = stored.reshape(-1, *shape)[:samples]
    means = Judged(*(total / samples for total in sums))
    return means, jnp.quantile(stored, 0.95, axis=0)
