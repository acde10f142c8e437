"""A decision: which models run where, and who is served by them."""

from typing import NamedTuple

import numpy as np


class Allocation(NamedTuple):
    """Decisions for an instance with I query types, J models, K tiers and N degrees.

    replicas: [J, K, N] whole numbers (int64), instances of a model on a tier at a tensor-parallel
    degree. share: [I, J, K, N], share of a query type that is served there. unmet: [I], dropped
    share; share and unmet of a type sum to 1.
    """

    replicas: np.ndarray
    share: np.ndarray
    unmet: np.ndarray


def gpus(allocation: Allocation, tensor_parallel: tuple[int, ...]) -> np.ndarray:
    """GPUs [J, K, N] that the replicas take."""
    return allocation.replicas * np.asarray(tensor_parallel)
