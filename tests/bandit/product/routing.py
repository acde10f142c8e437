"""Small routing problems that tests share."""

from functools import cache
from typing import Any

import numpy as np

from lpo.bandit.product import Periods, Product, make_product, synthetic_contexts


@cache
def periods() -> Periods:
    return synthetic_contexts(4000, seed=1)


@cache
def product(**options: Any) -> Product:
    return make_product(periods(), **{"rows": 1500, **options})


def outside(budgets: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """By how much the bias of each arm [K, c] exceeds a certificate of a norm (the first part) and
    of single features (the others), [K]; not above 0 where the certificate holds."""
    norm = np.sqrt(budgets[0, :, 0, 0])
    np.testing.assert_allclose(budgets[0], norm[:, None, None] ** 2 * np.eye(bias.shape[1]))
    box = np.zeros_like(bias)
    for part in budgets[1:]:
        diagonal = np.einsum("kcc->kc", part)
        assert (np.count_nonzero(diagonal, axis=1) <= 1).all()
        assert np.count_nonzero(part) == np.count_nonzero(diagonal)
        box += np.sqrt(diagonal)
    return np.linalg.norm(bias - np.clip(bias, -box, box), axis=1) - norm
