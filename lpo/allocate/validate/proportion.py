"""How well a share of samples is known: its confidence interval."""

import numpy as np
from scipy.special import ndtri

from lpo.errors import InputError


def wilson(
    share: np.ndarray, samples: int, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the score interval of a probability that was seen as `share` [...] of `samples`.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), Wilson ("Probable inference", 1927):
    within [0, 1] and of sensible width also at shares 0 and 1, where the usual interval is a point.

    Raises InputError on shares outside [0, 1], samples below 1, a confidence outside (0, 1).
    """
    p, n = np.asarray(share, np.float64), samples
    if not np.all((p >= 0.0) & (p <= 1.0)) or n < 1 or not 0.0 < confidence < 1.0:
        raise InputError(
            "An interval needs shares in [0, 1], `samples` of at least 1, `confidence` in (0, 1)."
        )
    z = ndtri(0.5 + confidence / 2.0)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low, high = np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
    return np.where(p == 0.0, 0.0, low), np.where(p == 1.0, 1.0, high)
