"""Which deployments and routes an allocation program has, as index arrays. docs/allocate.md."""

from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import Instance


class Columns(NamedTuple):
    """Indices of what there is to decide on.

    **Pairs** [P], a model on a tier: pair_model, pair_tier.
    **Deployments** [C], a pair at a tensor-parallel degree: deployment_pair, degree (GPUs of one
    replica), degree_index (its place among the degrees on offer).
    **Routes** [R], a query type to a deployment: route_type, route_deployment.
    **Exposures** [S], a query type and a pair that routes join: exposure_type, exposure_pair, and
    route_exposure [R]. A deviation strikes a type on a pair, whatever the degree.
    """

    pair_model: np.ndarray
    pair_tier: np.ndarray
    deployment_pair: np.ndarray
    degree: np.ndarray
    degree_index: np.ndarray
    route_type: np.ndarray
    route_deployment: np.ndarray
    exposure_type: np.ndarray
    exposure_pair: np.ndarray
    route_exposure: np.ndarray

    @property
    def model(self) -> np.ndarray:
        """Model of each deployment [C]."""
        return self.pair_model[self.deployment_pair]

    @property
    def tier(self) -> np.ndarray:
        """Tier of each deployment [C]."""
        return self.pair_tier[self.deployment_pair]


def make_columns(
    instance: Instance,
    *,
    largest_degree_only: bool = False,
    deployments: np.ndarray | None = None,
    routes: np.ndarray | None = None,
) -> Columns:
    """Return all deployments whose weights fit their GPUs, and all routes to them.

    **Arguments:**

    - `largest_degree_only`: keep one degree a pair, the largest. It has the most memory for the
      cache a GPU and the least delay, and a fraction of it can be rented in the relaxation.
    - `deployments`: [J, K, N] bool, those to keep among them; `routes`: [I, J, K, N] bool likewise.

    More memory lets more deployments fit: a program that is to be solved with other memories is
    made of the instance with the largest.
    """
    I, J, K, N = instance.shape
    data, n = instance.data, np.asarray(instance.tensor_parallel)
    fits = data.weights_gb[:, None, None] / n <= data.memory_gb[None, :, None]
    fits &= n <= data.tier_limit[None, :, None]
    if deployments is not None:
        fits &= deployments
    if largest_degree_only:
        last = N - 1 - np.argmax(fits[..., ::-1], axis=-1)
        fits &= np.arange(N) == last[..., None]
    model, tier, degree_index = np.nonzero(fits)
    pairs, deployment_pair = np.unique(model * K + tier, return_inverse=True)
    C = len(model)
    if routes is None:
        route_type, route_deployment = np.divmod(np.arange(I * C), max(C, 1))
    else:
        route_type, route_deployment = np.nonzero(routes[:, model, tier, degree_index])
    exposures, route_exposure = np.unique(
        route_type * (J * K) + pairs[deployment_pair[route_deployment]], return_inverse=True
    )
    return Columns(
        pair_model=pairs // K,
        pair_tier=pairs % K,
        deployment_pair=deployment_pair,
        degree=n[degree_index],
        degree_index=degree_index,
        route_type=route_type,
        route_deployment=route_deployment,
        exposure_type=exposures // (J * K),
        exposure_pair=np.searchsorted(pairs, exposures % (J * K)),
        route_exposure=route_exposure,
    )
