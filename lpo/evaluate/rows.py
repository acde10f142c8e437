"""The table of an evaluation: what decisions cost against the oracle's, with intervals."""

from typing import NamedTuple

import numpy as np

from lpo.provision import block_interval


class Outcome(NamedTuple):
    """What one method's decisions cost on one test set, a number for each plan, [plans].

    cost, oracle: of the decisions and of the same decisions under a perfect forecast, in dollars,
    or in the task's unit where that is no money. demand, unserved: tokens. gpus, oracle_gpus: mean
    over the slots of the plan.
    """

    cost: np.ndarray
    oracle: np.ndarray
    demand: np.ndarray
    unserved: np.ndarray
    gpus: np.ndarray
    oracle_gpus: np.ndarray


def summarise(outcome: Outcome, money: bool, block: int) -> dict[str, float]:
    """The columns of `tables/evaluation.csv` that come from the outcome.

    regret_fraction: sum of regret / |sum of the oracle's cost|, with its 95 % interval by a
    moving-block bootstrap over plans, `block` in a block; NaN without demand. Dollars are NaN where
    the task is not about money.
    """
    excess, magnitude = outcome.cost - outcome.oracle, np.abs(outcome.oracle)
    total, demanded = float(magnitude.sum()), float(outcome.demand.sum())
    interval = block_interval(excess, magnitude, block=block)
    usd = 1.0 if money else np.nan
    return {
        "plans": len(excess),
        "cost_usd": usd * float(outcome.cost.sum()),
        "oracle_usd": usd * float(outcome.oracle.sum()),
        "regret_usd": usd * float(excess.sum()),
        "regret_fraction": float(excess.sum()) / total if demanded > 0 and total > 0 else np.nan,
        "regret_low": interval.low,
        "regret_high": interval.high,
        "unserved_share": float(outcome.unserved.sum()) / demanded if demanded > 0 else 0.0,
        "gpus": float(outcome.gpus.mean()),
        "oracle_gpus": float(outcome.oracle_gpus.mean()),
    }
