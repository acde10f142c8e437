"""What the reader of estimates should know: one line each."""

import numpy as np

from lpo.bandit.ope.estimators import Estimator
from lpo.bandit.ope.intervals import Interval
from lpo.bandit.ope.log import Log

_LEAST_SHARE = 0.01  # of the rows: below it an effective sample size is too small
_ERRORS = 4.0  # standard errors by which a mean weight may be off
_DECIMALS = range(2, 13)  # to which propensities may have been rounded


def notes_of(
    log: Log,
    tables: dict[str, np.ndarray],
    weights: np.ndarray,
    effective: np.ndarray,
    estimators: tuple[Estimator, ...],
    interval: Interval,
    *,
    clip: float,
    switch: float,
    widened: bool,
) -> list[str]:
    """Return notes on policies' tables [n, K] by name, with their weights [P, n] and effective
    sample sizes [P]; `clip`, `switch` as in `evaluate`; widened: for a certificate."""
    notes = [
        "Values are of the rewards as they were logged"
        + (
            "; low_new and high_new allow for the certificate's bias."
            if widened
            else ": of today's, if nothing has changed since."
        )
    ]
    for (name, table), w, size in zip(tables.items(), weights, effective, strict=True):
        notes += [f"policy `{name}`: {note}" for note in _of_policy(log, table, w, size)]
    greatest = weights.max()
    short = {
        Estimator.DM: True,
        Estimator.CLIPPED_IPS: greatest > clip,
        Estimator.SWITCH_DR: greatest > switch,
    }
    if said := [e for e in estimators if short.get(e, False)]:
        notes.append(
            f"{', '.join(said)}: intervals leave out the error of the model and the bias of cut "
            "weights, which may be greater than they are."
        )
    without = [e for e in estimators if e not in (Estimator.IPS, Estimator.CLIPPED_IPS)]
    if interval == Interval.EMPIRICAL_BERNSTEIN and without:
        notes.append(
            f"{', '.join(without)}: no empirical Bernstein interval, as rows are not independent."
        )
    return notes


def _of_policy(log: Log, table: np.ndarray, weights: np.ndarray, size: float) -> list[str]:
    n, notes = len(weights), []
    if size == 0.0:
        return ["takes no logged action in any row: the log says nothing of it."]
    if size < _LEAST_SHARE * n:
        notes.append(
            f"the effective sample size is {size:.3g}, below 1 % of {n} rows: a few rows decide."
        )
    mean, error = weights.mean(), weights.std(ddof=1) / np.sqrt(n)
    rounded = rounding_of(log.propensities) * (weights / log.propensities).mean()
    if abs(mean - 1.0) > _ERRORS * error + rounded + 1e-6:
        notes.append(
            f"the mean weight is {mean:.3g} with a standard error of {error:.2g} and should be 1: "
            "the log lacks actions of this policy, or propensities are wrong."
        )
    unseen = uncovered(log, table)
    if unseen > 0.0:
        notes.append(
            f"with probability {unseen:.3g} it takes another action where the propensity was 1: of "
            "that the log says nothing."
        )
    never = np.bincount(log.actions, minlength=table.shape[1]) == 0
    if (share := table[:, never].sum(1).mean()) > 0.0:
        names = ", ".join(name for name, out in zip(log.action_names, never, strict=True) if out)
        notes.append(f"with probability {share:.3g} it takes actions of no row: {names}.")
    return notes


def rounding_of(propensities: np.ndarray) -> float:
    """Return by how much propensities can differ from what they were before they were rounded, half
    a unit of their last decimal; 0 where that is none of the first 12."""
    for decimals in _DECIMALS:
        if np.allclose(np.round(propensities, decimals), propensities, rtol=0.0, atol=1e-14):
            return 0.5 * 10.0**-decimals
    return 0.0


def uncovered(log: Log, table: np.ndarray) -> float:
    """Return with which probability, in the mean over rows, a policy [n, K] takes another action
    where the logged one had propensity 1."""
    taken = np.take_along_axis(table, log.actions[:, None], 1)[:, 0]
    return float(np.where(log.propensities == 1.0, np.clip(1.0 - taken, 0.0, 1.0), 0.0).mean())
