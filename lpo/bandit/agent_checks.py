"""What an agent refuses. docs/bandit_agent.md."""

from typing import Any

import numpy as np

from lpo.errors import InputError


def check_sizes(arms: Any, dimension: Any, blocks: Any) -> None:
    """Raise InputError unless all are whole numbers of at least 1, and blocks 1 or arms."""
    for name, number in (("arms", arms), ("dimension", dimension), ("blocks", blocks)):
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
            raise InputError(f"`{name}` must be a whole number of at least 1, got {number}.")
    if blocks not in (1, arms):
        raise InputError(f"`blocks` must be 1 or {arms}, one an arm, got {blocks}.")


def check_seed(seed: Any) -> None:
    """Raise InputError unless a seed is a whole number of 32 bits."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise InputError(f"a seed must be a whole number from 0 to 2^32 - 1, got {seed}.")


def checked_contexts(contexts: Any, arms: int, dimension: int) -> np.ndarray:
    """Return features of all arms, float64 [K, c], of such or of [c]."""
    features = _floats("contexts", contexts)
    if features.shape not in ((dimension,), (arms, dimension)):
        raise InputError(
            f"`contexts` must be [{dimension}] or [{arms}, {dimension}], got "
            f"{list(features.shape)}."
        )
    _check_finite("contexts", features, ("row", "column")[-features.ndim :])
    return np.broadcast_to(features, (arms, dimension))


def checked_allowed(allowed: Any | None, arms: int) -> np.ndarray:
    """Return which arms exist, [K] bool; None: all."""
    if allowed is None:
        return np.ones(arms, bool)
    exist = np.asarray(allowed)
    if exist.shape != (arms,) or exist.dtype != bool:
        raise InputError(
            f"`allowed` must be [{arms}] of true and false, got {list(exist.shape)} of "
            f"{exist.dtype}."
        )
    if not exist.any():
        raise InputError("`allowed`: at least one arm must exist.")
    return exist


def checked_rewards(
    features: Any, arm: Any, reward: Any, stage: Any, arms: int, dimension: int, stages: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features float64 [n, c], arms int32 [n], rewards float64 [n] and stages int32 [n], of
    such or of one of each. stages: how many there are, besides -1."""
    x, reward = _floats("features", features), _floats("reward", reward)
    if x.ndim not in (1, 2) or x.shape[-1] != dimension:
        raise InputError(
            f"`features` must be [{dimension}] or [n, {dimension}], got {list(x.shape)}."
        )
    for name, numbers in (("arm", arm), ("reward", reward), ("stage", stage)):
        if np.shape(numbers) != x.shape[:-1]:
            raise InputError(
                f"`{name}` must be {list(x.shape[:-1])} as features, got {list(np.shape(numbers))}."
            )
    _check_finite("features", x, ("row", "column")[-x.ndim :])
    _check_finite("reward", reward, ("row",)[: reward.ndim])
    whole = _whole("arm", arm, 0, arms - 1), _whole("stage", stage, -1, stages - 1)
    return x.reshape(-1, dimension), whole[0], reward.reshape(-1), whole[1]


def _floats(name: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"`{name}` must be an array of numbers.") from None


def _check_finite(name: str, numbers: np.ndarray, axes: tuple[str, ...]) -> None:
    good = np.isfinite(numbers)
    if good.all():
        return
    at = tuple(int(i) for i in np.argwhere(~good)[0])
    place = "".join(f", {axis} {i}" for axis, i in zip(axes, at, strict=True))
    raise InputError(f"{name}{place}: must be finite, got {numbers[at]}.")


def _whole(name: str, given: Any, low: int, high: int) -> np.ndarray:
    """Whole numbers, int32 [n]."""
    numbers = np.asarray(given)
    if numbers.dtype.kind not in "iuf":
        raise InputError(f"`{name}` must be whole numbers, got the type {numbers.dtype}.")
    numbers = numbers.reshape(-1)
    bad = np.flatnonzero(~((numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers))))
    if len(bad):
        place = f", row {bad[0]}" if np.ndim(given) else ""
        raise InputError(
            f"{name}{place}: must be a whole number of {low} to {high}, got {numbers[bad[0]]}."
        )
    return numbers.astype(np.int32)
