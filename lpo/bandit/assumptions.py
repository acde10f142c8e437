"""What confidence widths take for granted. docs/bandit.md."""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError


class Assumptions(NamedTuple):
    """Rewards are <x, theta> + noise, and offline ones <z, theta_off> + noise.

    regularisation: lambda of the ridge. delta: probability with which widths may be too narrow.
    noise: sigma, of which rewards are sub-Gaussian (offline rows are weighted to the same sigma).
    bound, bound_off: of the norms of theta and theta_off. block_bound, block_bound_off: of the same
    in one block of features, where arms have features of their own.
    """

    regularisation: float = 1.0
    delta: float = 0.01
    noise: float = 1.0
    bound: float = 1.0
    bound_off: float = 1.0
    block_bound: float = 1.0
    block_bound_off: float = 1.0

    @property
    def cap(self) -> float:
        """By how much theta_off can differ from theta whatever the logs are, in norm."""
        return self.bound + self.bound_off


def make_assumptions(
    *,
    regularisation: float = 1.0,
    delta: float = 0.01,
    noise: float = 1.0,
    bound: float = 1.0,
    bound_off: float | None = None,
    block_bound: float | None = None,
    block_bound_off: float | None = None,
) -> Assumptions:
    """Return checked assumptions. None: of the log as online, of a block as of all.

    Raises InputError on numbers that are not positive and finite, and on a delta of 1 or more.
    """
    if block_bound_off is None:
        block_bound_off = bound_off if block_bound is None else block_bound
    given = Assumptions(
        regularisation,
        delta,
        noise,
        bound,
        bound if bound_off is None else bound_off,
        bound if block_bound is None else block_bound,
        bound if block_bound_off is None else block_bound_off,
    )
    for name, number in given._asdict().items():
        if not (np.isfinite(number) and number > 0.0):
            raise InputError(f"`{name}` must be positive and finite, got {number}.")
    if delta >= 1.0:
        raise InputError(f"`delta` must be below 1, got {delta}.")
    return given
