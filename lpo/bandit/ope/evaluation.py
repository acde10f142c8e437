"""Policies valued from a log, by several estimators. docs/off_policy_evaluation.md."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.ope.checks import check_numbers, check_ranges, member, refuse_deterministic
from lpo.bandit.ope.estimators import WITH_MODEL, Estimator, standard_error, value
from lpo.bandit.ope.intervals import Interval, Ranges, bootstrap_interval, normal_interval
from lpo.bandit.ope.log import Log
from lpo.bandit.ope.notes import notes_of
from lpo.bandit.ope.reward_model import predicted_rewards
from lpo.bandit.ope.scoring import bernstein_of, scores_of
from lpo.bandit.ope.shift import Shift, check_shift, shift_allowance
from lpo.bandit.ope.targets import check_policy
from lpo.errors import InputError

ESTIMATORS = tuple(Estimator)


class Row(NamedTuple):
    """One estimate: `pandas.DataFrame(evaluation.rows)` is the long table.

    value, low, high, standard_error: in units of the reward, of the rewards as they were logged.
    effective_sample_size: of the policy's weights on n rows. shift: the allowance for the bias, and
    low_new, high_new the interval with it, of the rewards of now. NaN where there is none.
    """

    policy: str
    estimator: str
    value: float
    low: float
    high: float
    standard_error: float
    effective_sample_size: float
    n: int
    shift: float
    low_new: float
    high_new: float


class Evaluation(NamedTuple):
    """Rows by policy and estimator, notes to read with them, and the mean reward of the log, which
    is the value of the policy that wrote it."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    mean_reward: float


def evaluate(
    log: Log,
    policies: Mapping[str, Any],
    estimators: Sequence[Estimator | str] = ESTIMATORS,
    *,
    interval: Interval | str = Interval.NORMAL,
    level: float = 0.95,
    draws: int = 1000,
    ranges: Ranges | None = None,
    clip: float = 10.0,
    switch: float = 10.0,
    folds: int = 5,
    regularisation: float = 1.0,
    budgets: Any | None = None,
    features: Any | None = None,
    shift: Shift | str = Shift.PER_ROW,
    seed: int = 0,
) -> Evaluation:
    """Estimate what policies would have earned in place of the one that wrote the log.

    **Main arguments:**

    - `policies`: tables of probabilities [n, K] by name, such as those of `lpo.bandit.ope.targets`.
    - `estimators`: of ips, snips, clipped_ips, dm, dr, switch_dr.
    - `interval`: normal, bootstrap (`draws` resamples), or empirical_bernstein, which needs
      `ranges` and exists for ips and clipped_ips alone; of the latter it bounds the clipped mean.

    **Other arguments:**

    - `clip`: greatest weight of clipped_ips. `switch`: weight above which switch_dr takes the
      model's word.
    - `folds`, `regularisation`: of the model of the rewards (`predicted_rewards`).
    - `budgets` [m, g, c, c]: a certificate of bias, `Certificate.budgets`; `features` and `shift`
      as in `shift_allowance`, features None being the contexts, with parameters for each action.
    - `seed`: of folds and resamples; the same seed gives the same numbers.

    Float64. **Raises:** InputError on policies that are no tables for this log, on options that are
    not as above, on a log of one row, and where every propensity is 1 and a policy takes other
    actions, unless dm alone is asked for.
    """
    chosen = tuple(member("estimators", Estimator, each) for each in estimators)
    interval, shift = member("interval", Interval, interval), member("shift", Shift, shift)
    check_numbers(level=level, draws=draws, clip=clip, switch=switch)
    if not chosen or not policies:
        raise InputError("`evaluate` needs a policy and an estimator.")
    if len(log.rewards) < 2:
        raise InputError("`log` must have at least 2 rows, got 1.")
    tables = {name: check_policy(log, name, table) for name, table in policies.items()}
    if any(each != Estimator.DM for each in chosen):
        refuse_deterministic(log, tables)
    q = None
    if set(chosen) & set(WITH_MODEL):
        q = predicted_rewards(log, folds=folds, regularisation=regularisation, seed=seed)
    widening = None if budgets is None else check_shift(log, budgets, features)
    with jax.enable_x64(True):
        stacked = jnp.asarray(np.stack(list(tables.values())))
        logged = [jnp.asarray(column) for column in (log.actions, log.rewards, log.propensities)]
        scores, weights, effective = scores_of(chosen, stacked, q, *logged, clip, switch)
        if interval == Interval.NORMAL:
            low, high = normal_interval(scores, level)
        elif interval == Interval.BOOTSTRAP:
            key = jax.random.fold_in(jax.random.key(seed), 1)  # the key itself has made folds
            low, high = bootstrap_interval(key, scores, level, draws)
        else:
            known = check_ranges(ranges, log, dict(zip(tables, np.asarray(weights), strict=True)))
            low, high = bernstein_of(chosen, scores, known, clip, level)
        allowed = jnp.full(len(tables), jnp.nan)
        if widening is not None:
            allowed = shift_allowance(stacked, *map(jnp.asarray, widening), shift)
        found = [np.asarray(each) for each in (value(scores), low, high, standard_error(scores))]
        weights, effective, allowed = map(np.asarray, (weights, effective, allowed))
    rows = tuple(
        Row(
            name,
            str(estimator),
            *(float(each[e, p]) for each in found),
            effective_sample_size=float(effective[p]),
            n=len(log.rewards),
            shift=float(allowed[p]),
            low_new=float(found[1][e, p] - allowed[p]),
            high_new=float(found[2][e, p] + allowed[p]),
        )
        for p, name in enumerate(tables)
        for e, estimator in enumerate(chosen)
    )
    notes = notes_of(
        log,
        tables,
        weights,
        effective,
        chosen,
        interval,
        clip=clip,
        switch=switch,
        widened=widening is not None,
    )
    return Evaluation(rows, tuple(notes), float(log.rewards.mean()))
