"""Rolling horizon: plan, commit the first slots, carry the fleet over, plan again."""

from collections.abc import Callable

import numpy as np

from lpo.errors import InputError

Plan = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""`plan(forecast [..., H] tokens, initial [..., K]) -> replicas [..., H, K]`."""


def roll(plan: Plan, forecasts: np.ndarray, initial: np.ndarray, commit: int) -> np.ndarray:
    """Return the fleet that is run, [..., P * commit, K] replicas.

    forecasts: [..., P, H] tokens; plan p sees forecast p, made `commit` slots after the one before,
    and the fleet that runs in the slot before its first, so that start-ups are paid once.
    initial: [..., K] replicas before the first plan; leading axes broadcast to the forecasts'.
    Raises InputError unless 1 <= commit <= H.
    """
    horizon = forecasts.shape[-1]
    if not 1 <= commit <= horizon:
        raise InputError(f"`commit` must be between 1 and the horizon {horizon}, got {commit}.")
    running = np.broadcast_to(initial, (*forecasts.shape[:-2], np.shape(initial)[-1]))
    run = []
    for p in range(forecasts.shape[-2]):
        run.append(plan(forecasts[..., p, :], running)[..., :commit, :])
        running = run[-1][..., -1, :]
    return np.concatenate(run, axis=-2)
