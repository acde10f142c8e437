"""The numbers of `analysis.values`: what an experiment varies."""

from collections.abc import Collection, Sequence

import numpy as np

from lpo.errors import InputError
from lpo.serve.command.config import ServeConfig


def numbers_given(cfg: ServeConfig, allowed: Collection[str]) -> dict[str, np.ndarray]:
    """Return the numbers by name, ascending and each once; at least one name.

    Raises InputError on no name, on one that is not in `allowed`, on an empty list and on numbers
    that are negative or not finite.
    """
    if not cfg.analysis.values:
        raise InputError(f"analysis.values: nothing given; allowed: numbers of {_list(allowed)}")
    return {
        name: np.unique(np.asarray(numbers, np.float64))
        for name, numbers in _checked(cfg, allowed, positive=False).items()
    }


def numbers_or(cfg: ServeConfig, **defaults: Sequence[float]) -> dict[str, list[float]]:
    """Return the numbers of every name in `defaults`, in the order given.

    Raises InputError on other names, on an empty list and on numbers that are not positive.
    """
    given = _checked(cfg, defaults, positive=True)
    return {name: list(given.get(name, default)) for name, default in defaults.items()}


def _checked(
    cfg: ServeConfig, allowed: Collection[str], *, positive: bool
) -> dict[str, list[float]]:
    words = "> 0" if positive else ">= 0"
    for name, numbers in cfg.analysis.values.items():
        if name not in allowed:
            raise InputError(f"analysis.values: {name} given; allowed: {_list(allowed)}")
        values = np.asarray(numbers, np.float64)
        good = np.isfinite(values) & (values > 0.0 if positive else values >= 0.0)
        if not len(values) or not good.all():
            raise InputError(
                f"analysis.values.{name}: {numbers} given; allowed: at least one number, each "
                f"{words} and finite"
            )
    return cfg.analysis.values


def _list(names: Collection[str]) -> str:
    return ", ".join(names)
