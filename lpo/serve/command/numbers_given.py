"""The numbers of `analysis.values`, where an experiment takes as many of its names as are given."""

from collections.abc import Collection

import numpy as np

from lpo.errors import InputError
from lpo.serve.command.config import ServeConfig


def numbers_given(cfg: ServeConfig, allowed: Collection[str]) -> dict[str, np.ndarray]:
    """Return the numbers by name, ascending and each once; at least one name.

    Raises InputError on no name, on one that is not in `allowed`, on an empty list and on numbers
    that are negative or not finite.
    """
    names = ", ".join(allowed)
    if not cfg.analysis.values:
        raise InputError(f"analysis.values: nothing given; allowed: numbers of {names}")
    found: dict[str, np.ndarray] = {}
    for name, numbers in cfg.analysis.values.items():
        if name not in allowed:
            raise InputError(f"analysis.values: {name} given; allowed: {names}")
        ascending = np.unique(np.asarray(numbers, np.float64))
        if not len(ascending) or not np.all(np.isfinite(ascending) & (ascending >= 0.0)):
            raise InputError(
                f"analysis.values.{name}: {numbers} given; allowed: at least one number, "
                "each >= 0 and finite"
            )
        found[name] = ascending
    return found
