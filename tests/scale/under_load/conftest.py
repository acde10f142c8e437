"""A small cluster that serves short passes, from nearly idle to more than full."""

import numpy as np
import pytest

from lpo.scale.models import Models
from lpo.scale.under_load import Cluster, UnderLoad, make_cluster, serve_passes
from lpo.serve import make_hardware


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return make_cluster(
        queries_per_s=0.75,
        gpus=4,
        gpu_hour_usd=3.6,
        policy="fcfs",
        hardware=make_hardware(batch=4, chunk=256, alpha=0.0174, beta=6.2e-5, tau_solo=0.022),
    )


@pytest.fixture(scope="session")
def models() -> Models:
    """Two that differ in their scores alone, and one with longer outputs."""
    columns = ([0.9, 0.8, 0.9], [0.05, 0.1, 0.05], [300.0] * 3, [0.0] * 3, [40, 40, 50], [6, 6, 0])
    return Models(*(np.array(column, float) for column in columns), *(np.ones(3),) * 4)


@pytest.fixture(scope="session")
def found(cluster, models) -> UnderLoad:
    return serve_passes(cluster, models, [1, 4, 8, 32], [4, 32], seconds=60.0, seeds=2, seed=3)
