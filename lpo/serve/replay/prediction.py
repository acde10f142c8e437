"""Errors of the class that is predicted for a request when it arrives. docs/serve_replay.md."""

import numpy as np

from lpo.errors import InputError


def mistaken(kinds: np.ndarray, classes: int, probability: float, *, seed: int = 0) -> np.ndarray:
    """Return the classes that are seen, int64 [R]: each request with `probability` in another one.

    Which other one is drawn uniformly. A larger probability adds mistakes to those of a smaller one
    (common random numbers).
    Raises InputError on a probability outside [0, 1], and above 0 where there is one class only.
    """
    if not 0.0 <= probability <= 1.0:
        raise InputError(f"`prediction_error` must be between 0 and 1, got {probability}.")
    if probability > 0.0 and classes < 2:
        raise InputError("`prediction_error` must be 0 where all requests are of one class.")
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(kinds)) < probability
    further = rng.integers(1, max(classes, 2), len(kinds))
    return np.where(wrong, (kinds + further) % classes, kinds)
