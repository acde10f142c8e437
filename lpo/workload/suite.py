"""The shift suite: the shifts that robustness is judged on, and those it is chosen on.

Judged on: every shift of the suite, on the own test part and on other services. Chosen on: the same
shifts of the own validation part with other random streams, and two services of the built-in
generator; hyper-parameters and methods may look at these, because no test set is among them.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from lpo.workload.shifts import (
    CORRUPTIONS,
    bursts,
    generator,
    overdispersion,
    regime,
    subsampled,
    thinning,
)
from lpo.workload.synthetic import SERVICES, demand

Shift: TypeAlias = Callable[[np.ndarray, np.random.Generator, float], np.ndarray]
"""(tokens [bins], rng, bin_s) -> tokens; most need no `bin_s`, some no `rng`."""


def _in_bins(change: Callable[[np.ndarray, np.random.Generator], np.ndarray]) -> Shift:
    """A shift that does not depend on how long a bin is."""
    return lambda tokens, rng, bin_s: change(tokens, rng)


SUITE: dict[str, Shift] = {
    "overdispersion_0.3": _in_bins(partial(overdispersion, log_sd=0.3)),
    "overdispersion_0.6": _in_bins(partial(overdispersion, log_sd=0.6)),
    "bursts": _in_bins(bursts),
    "regime": lambda tokens, rng, bin_s: regime(tokens, bin_s),
    "thinning": _in_bins(thinning),
    "clock_3": lambda tokens, rng, bin_s: subsampled(tokens, 3),
    "level_2": lambda tokens, rng, bin_s: 2.0 * tokens,
    "level_half": lambda tokens, rng, bin_s: 0.5 * tokens,
} | {name: _in_bins(corrupt) for name, corrupt in CORRUPTIONS.items()}

# Services of the built-in generator that stand for another service: mean demand, train part = 1.
STAND_INS = {"agents": 0.5, "chat_later": 1.7}


def shifts_of(name: str, tokens: np.ndarray, *, bin_s: float, seed: int) -> dict[str, np.ndarray]:
    """Every shift of one demand in bins of `bin_s` seconds, named `<name>_<shift>`.

    Each has the random stream of `seed` and its own name.
    """
    sets = {f"{name}_{shift}": change for shift, change in SUITE.items()}
    return {key: change(tokens, generator(seed, key), bin_s) for key, change in sets.items()}


def stand_ins(*, mean: float, days: float, bin_s: float, seed: int) -> dict[str, np.ndarray]:
    """Demand of the `STAND_INS` over `days`, scaled to their multiples of `mean` tokens a bin."""
    made = {
        service.name: demand(
            service, generator(seed, f"stand_in_{service.name}"), days=days, bin_s=bin_s
        )
        for service in SERVICES
        if service.name in STAND_INS
    }
    return {name: STAND_INS[name] * mean / x.mean() * x for name, x in made.items()}
