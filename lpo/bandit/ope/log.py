"""A log of decisions with the probabilities they were taken with: what off-policy evaluation reads.
docs/off_policy_evaluation.md."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError


class Log(NamedTuple):
    """One row a decision, float64 unless it says otherwise.

    contexts: what was known before the decision, [n, c]; c may be 0. actions: places in
    `action_names`, int [n]. rewards: [n]. propensities: the probability with which the logging
    policy took the action that it took, [n] in (0, 1].
    """

    contexts: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    propensities: np.ndarray
    context_names: tuple[str, ...]
    action_names: tuple[str, ...]


def make_log(
    contexts: Any,
    actions: Any,
    rewards: Any,
    propensities: Any,
    *,
    context_names: Sequence[str] | None = None,
    action_names: Sequence[str] | None = None,
) -> Log:
    """Return a log of arrays.

    **Arguments:**

    - `contexts` [n, c], `actions` whole numbers [n], `rewards` [n], `propensities` [n].
    - `context_names`: of the columns; None: x0, x1, ...
    - `action_names`: of the actions 0, 1, ...; None: 0 to the greatest that was taken.

    **Raises:** InputError, with the element's place, on other shapes, no rows, a context or reward
    that is not finite, a propensity outside (0, 1], an action that has no name, and on names that
    appear twice.
    """
    contexts, rewards, propensities = (
        _floats(name, given)
        for name, given in (
            ("contexts", contexts),
            ("rewards", rewards),
            ("propensities", propensities),
        )
    )
    if contexts.ndim != 2 or not len(contexts):
        raise InputError(f"`contexts` must be [n, c] with n at least 1, got {contexts.shape}.")
    n, c = contexts.shape
    actions = np.asarray(actions)
    columns = {"actions": actions, "rewards": rewards, "propensities": propensities}
    for name, column in columns.items():
        if column.shape != (n,):
            raise InputError(f"`{name}` must be [{n}], a row of contexts each, got {column.shape}.")
    for j in range(c):
        _refuse(first_fault(contexts[:, j]), "contexts", f", {j}")
    _refuse(first_fault(rewards), "rewards")
    _refuse(first_fault(propensities, propensity=True), "propensities")
    count = None if action_names is None else len(action_names)
    actions = _whole(actions, count)
    if action_names is None:
        action_names = [str(action) for action in range(int(actions.max()) + 1)]
    if context_names is None:
        context_names = [f"x{j}" for j in range(c)]
    if len(context_names) != c:
        raise InputError(f"`context_names` must be {c} names, got {len(context_names)}.")
    return Log(
        contexts,
        actions,
        rewards,
        propensities,
        _distinct("context_names", context_names),
        _distinct("action_names", action_names),
    )


def first_fault(values: np.ndarray, *, propensity: bool = False) -> tuple[int, str] | None:
    """Return the first of `values` [n] that a log cannot have, its place and what is wrong; None
    where there is none. Propensities are in (0, 1], other numbers are finite."""
    good = (values > 0.0) & (values <= 1.0) if propensity else np.isfinite(values)
    if good.all():
        return None
    at = int(np.argmin(good))
    allowed = "above 0 and at most 1" if propensity else "finite"
    return at, f"must be {allowed}, got {values[at]:.15g}"


def _refuse(fault: tuple[int, str] | None, name: str, column: str = "") -> None:
    if fault is not None:
        raise InputError(f"`{name}[{fault[0]}{column}]`: {fault[1]}.")


def _floats(name: str, given: Any) -> np.ndarray:
    try:
        return np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise InputError(f"`{name}` must be an array of numbers.") from None


def _whole(actions: np.ndarray, count: int | None) -> np.ndarray:
    """Actions as int64; `count` of them have names, None: any number may."""
    if actions.dtype.kind not in "iuf":
        raise InputError(f"`actions` must be whole numbers, got the type {actions.dtype}.")
    most = np.inf if count is None else count - 1
    bad = np.flatnonzero(~((actions >= 0) & (actions <= most) & (actions == np.floor(actions))))
    if len(bad):
        allowed = "of at least 0" if count is None else f"of 0 to {count - 1}"
        raise InputError(
            f"`actions[{bad[0]}]`: must be a whole number {allowed}, got {actions[bad[0]]}."
        )
    return actions.astype(np.int64)


def _distinct(name: str, given: Sequence[Any]) -> tuple[str, ...]:
    names = tuple(map(str, given))
    if len(set(names)) != len(names):
        twice = next(each for each in names if names.count(each) > 1)
        raise InputError(f"`{name}`: {twice!r} appears more than once.")
    return names
