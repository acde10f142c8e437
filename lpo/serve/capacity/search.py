"""The least fleet that meets limits, by bisection. docs/serve_replay.md, "Capacity"."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from lpo.errors import InputError
from lpo.serve.capacity.limits import Experience, Limits, Measured, check_limits, measure, met

Trial = Callable[[int], Sequence[Experience]]
"""From a number of GPUs to what the requests of each seed experience on them; the same seed has the
same requests at every size (common random numbers)."""


class Share(NamedTuple):
    """Of S seeds: count / S with its Clopper-Pearson interval at 95 %."""

    share: float
    low: float
    high: float


class Tried(NamedTuple):
    """A fleet that was simulated. measured: arrays [S, G]. passed: bool [S]. meets: whether enough
    seeds passed."""

    gpus: int
    measured: Measured
    passed: np.ndarray
    meets: bool

    @property
    def share(self) -> Share:
        """The seeds that met the limits."""
        return _share(self.passed)


class Capacity(NamedTuple):
    """The answer of a search.

    gpus: a fleet that meets the limits while one GPU less does not. at, below: these two, below
    None where there is no smaller fleet. confirmed: the seeds that pass at `gpus` and fail below.
    smaller_passed: smaller fleets that meet the limits all the same, of those that were tried;
    where there are some, more GPUs were not always better, or the seeds are too few to tell.
    tried: every fleet that was simulated, by size.
    """

    gpus: int
    at: Tried
    below: Tried | None
    confirmed: Share
    smaller_passed: tuple[int, ...]
    tried: tuple[Tried, ...]


def least_fleet(
    trial: Trial,
    limits: Limits,
    *,
    classes: int,
    start: int,
    most: int,
    least: int = 1,
    seeds_share: float = 0.5,
    check: int = 2,
) -> Capacity:
    """Return the least fleet between `least` and `most` GPUs that meets the limits.

    **Arguments:**

    - `trial`: simulates a fleet; called once for each size that is tried.
    - `classes`: I.
    - `start`: where to begin, such as the fleet that could just serve everything
      (`lpo.serve.minimum_fleet`). From there steps of doubling length, about the square root of
      `start` at first, lead to a fleet that meets the limits and one that does not; bisection
      between the two follows.
    - `seeds_share`: a fleet meets the limits if they are kept in at least this share of the seeds.
    - `check`: that many sizes below the answer's neighbour are tried too, because bisection
      believes that a larger fleet is a better one.

    **Raises:** InputError on limits or sizes out of range, and where `most` GPUs do not meet them.
    """
    check_limits(limits)
    if not 1 <= least <= most:
        raise InputError(f"`max_gpus` must be at least {least}, got {most}.")
    if not 0.0 < seeds_share <= 1.0:
        raise InputError(f"`seeds_share` must be above 0 and at most 1, got {seeds_share}.")
    tried: dict[int, Tried] = {}

    def meets(gpus: int) -> bool:
        if gpus not in tried:
            tried[gpus] = _tried(gpus, trial(gpus), limits, classes, seeds_share)
        return tried[gpus].meets

    gpus = _bisect(meets, *_bracket(meets, min(max(start, least), most), least, most))
    if gpus is None:
        raise InputError(f"`max_gpus` = {most} GPUs do not meet the limits: {_words(tried[most])}.")
    for smaller in range(max(gpus - 1 - check, least), gpus):
        meets(smaller)
    at, below = tried[gpus], tried.get(gpus - 1)
    return Capacity(
        gpus,
        at,
        below,
        confirmed=_share(at.passed if below is None else at.passed & ~below.passed),
        smaller_passed=tuple(n for n in sorted(tried) if n < gpus and tried[n].meets),
        tried=tuple(tried[n] for n in sorted(tried)),
    )


def _bracket(
    meets: Callable[[int], bool], start: int, least: int, most: int
) -> tuple[int | None, int | None]:
    """A fleet that fails, None below `least`, and one that does not, None above `most`."""
    step = max(int(np.sqrt(start) / 2.0), 1)
    at = start
    if meets(at):
        while at > least:
            smaller = max(at - step, least)
            if not meets(smaller):
                return smaller, at
            at, step = smaller, 2 * step
        return None, at
    while at < most:
        larger = min(at + step, most)
        if meets(larger):
            return at, larger
        at, step = larger, 2 * step
    return at, None


def _bisect(meets: Callable[[int], bool], fails: int | None, passes: int | None) -> int | None:
    """The smaller end of a pair of neighbours between the two, of which it meets the limits."""
    if fails is None or passes is None:
        return passes
    while passes - fails > 1:
        middle = (fails + passes) // 2
        fails, passes = (fails, middle) if meets(middle) else (middle, passes)
    return passes


def _tried(
    gpus: int, runs: Sequence[Experience], limits: Limits, classes: int, seeds_share: float
) -> Tried:
    each = [measure(limits, run, classes) for run in runs]
    passed = np.array([met(limits, measured) for measured in each])
    # the share of a whole number of seeds must not fail by rounding
    meets = bool(passed.sum() >= seeds_share * len(passed) * (1.0 - 1e-12))
    return Tried(gpus, Measured(*map(np.stack, zip(*each, strict=True))), passed, meets)


def _share(passed: np.ndarray) -> Share:
    test = binomtest(int(passed.sum()), len(passed))
    interval = test.proportion_ci(0.95, method="exact")
    return Share(float(test.statistic), float(interval.low), float(interval.high))


def _words(tried: Tried) -> str:
    """What a fleet reached in the median seed, where a class is worst."""
    parts = [
        f"{name} {np.nanmax(np.median(values, axis=0)):.4g}"
        for name, values in zip(Measured._fields, tried.measured, strict=True)
        if not np.isnan(values).all()
    ]
    return f"{', '.join(parts)} in the median of {len(tried.passed)} seeds"
