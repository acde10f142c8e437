"""Which demand methods are judged on, the test sets, and chosen on, the validation shifts."""

from typing import NamedTuple

import numpy as np

from lpo.workload.series import Workload
from lpo.workload.shifts import CORRUPTIONS, REGIME_S, generator, mixture, mixture_pairs
from lpo.workload.suite import shifts_of, stand_ins
from lpo.workload.synthetic import DAY_S

STAND_IN_DAYS = 2.0


class Demand(NamedTuple):
    """Demand of consecutive bins and the second of day at which each begins, both [bins]."""

    tokens: np.ndarray
    clock: np.ndarray

    def shifted(self, tokens: np.ndarray) -> "Demand":
        """Other tokens from the same moment on, at most as many bins."""
        return Demand(tokens, self.clock[: len(tokens)])


def standard_sets(
    parts: dict[str, Demand], train: str, own: str, *, seed: int
) -> dict[str, Demand]:
    """Own test part, other series, mixtures and corruptions of the own part, by name.

    `parts`: of the series `train` its test part, which the sets call `own`; of others the whole.
    """
    sets = {own: parts[train]}
    sets |= {name: part for name, part in parts.items() if name != train}
    sets |= {
        f"{first}+{second}": Demand(*map(mixture, parts[first], parts[second]))
        for first, second in mixture_pairs(list(parts), train)
    }
    for corruption, corrupt in CORRUPTIONS.items():
        name = f"{own}_{corruption}"
        tokens = corrupt(parts[train].tokens, generator(seed, name))
        sets[name] = parts[train].shifted(tokens)
    return sets


def suite_sets(
    parts: dict[str, Demand], train: str, own: str, *, bin_s: float, enough: int, seed: int
) -> dict[str, Demand]:
    """Every shift of the suite, of the own test part and of each other series that is long enough.

    Long enough: `enough` bins, and two blocks of the shift `regime`, which changes no shorter one.
    """
    shortest = max(enough, 2 * REGIME_S / bin_s)
    long = {own: parts[train]} | {
        name: part for name, part in parts.items() if name != train and len(part.tokens) >= shortest
    }
    return {
        shift: part.shifted(tokens)
        for name, part in long.items()
        for shift, tokens in shifts_of(name, part.tokens, bin_s=bin_s, seed=seed).items()
    }


def validation_shifts(
    workload: Workload,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    bin_s: float,
    window: int,
    seed: int,
) -> dict[str, np.ndarray]:
    """Tokens [bins] of shifted sets that depend on the train and validation part alone.

    Every shift of the suite, of the validation part; and the stand-ins for another service, at
    their multiples of the train part's mean, of two days (or two windows of `window` bins where
    that is longer), but for those that the workload itself contains.
    """
    sets = shifts_of(f"{workload.train}_validation", validation, bin_s=bin_s, seed=seed)
    days = max(STAND_IN_DAYS, 2 * window * bin_s / DAY_S)
    services = stand_ins(mean=float(train.mean()), days=days, bin_s=bin_s, seed=seed)
    return sets | {name: tokens for name, tokens in services.items() if name not in workload.series}
