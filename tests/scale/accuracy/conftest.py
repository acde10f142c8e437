"""Records of models of which only the accuracy counts."""

from collections.abc import Sequence

import numpy as np
import pytest

from lpo.scale.models import Models


@pytest.fixture(scope="session")
def models_of():
    def of(mean: Sequence[float], sd: Sequence[float]) -> Models:
        ones = np.ones(len(mean))
        return Models(np.asarray(mean, float), np.asarray(sd, float), *[ones] * 8)

    return of
