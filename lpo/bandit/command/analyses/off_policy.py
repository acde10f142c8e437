"""What other policies would have earned, from a log file: `+experiment=off_policy log.path=...`."""

import re
from typing import Any

import numpy as np
import pandas as pd

from lpo.bandit.certificate import from_change_manifest
from lpo.bandit.command.config import BanditConfig, IntervalKind, ridge_of
from lpo.bandit.ope import (
    Evaluation,
    Interval,
    Log,
    Ranges,
    always,
    epsilon_greedy,
    evaluate,
    greedy,
    predicted_rewards,
    softmax,
    uniform,
)
from lpo.bandit.ope.readers import read_log
from lpo.errors import InputError
from lpo.runs import Findings, ResultTable, check
from lpo.runs.pictures import bar_picture

_KEYS = {
    "ranges": "log.reward_low, log.reward_high",
    "ranges.weight": "log.weight_high",
    **{name: f"log.{name}" for name in ("level", "draws", "clip", "switch", "temperature")},
}
"""By what the library calls it, what a message of the command does."""


def find(cfg: BanditConfig) -> Findings:
    """Value policies by every estimator from a log, and say which one would have earned most.

    Raises InputError as `read_log` and `evaluate` do, in the words of the configuration, and on
    changes of unknown actions.
    """
    try:
        return _find(cfg, _log_of(cfg))
    except InputError as error:
        line = re.sub(r"`([\w.]+)`", lambda name: _KEYS.get(name[1], name[0]), str(error))
        raise InputError(line) from error


def _log_of(cfg: BanditConfig) -> Log:
    given = cfg.log
    log = read_log(
        str(given.path),
        context=given.context,
        action=given.action,
        reward=given.reward,
        propensity=given.propensity,
        actions=given.actions,
    )
    n = len(log.rewards)
    if n < 2:
        raise InputError(f"{given.path}: must have at least 2 rows, has 1.")
    check(cfg, "log.folds", lambda folds: folds <= n, f"from 2 to {n}, the rows of the log")
    return log


def _find(cfg: BanditConfig, log: Log) -> Findings:
    given = cfg.log
    found = evaluate(
        log,
        targets_of(cfg, log),
        interval=Interval(given.interval.name),
        level=given.level,
        draws=given.draws,
        ranges=_ranges(cfg),
        clip=given.clip,
        switch=given.switch,
        folds=given.folds,
        regularisation=ridge_of(cfg),
        budgets=_budgets(cfg, log),
        seed=cfg.seed,
    )
    table = pd.DataFrame(found.rows)
    widened = given.changes is not None
    if not widened:
        table = table.drop(columns=["shift", "low_new", "high_new"])
    by = _leading(cfg)
    best = table.loc[table["estimator"] == by]
    first = best.loc[best["value"].idxmax()]
    return Findings(
        result=(
            f"{len(log.rewards)} decisions, mean reward {found.mean_reward:.4g}; by {by} the "
            f"most is {first['policy']} with {first['value']:.4g} "
            f"({first['low']:.4g} to {first['high']:.4g}), in rewards as they were logged"
            f"{_of_now(first) if widened else ''}"
        ),
        metrics={
            "mean_reward": found.mean_reward,
            **{
                f"value/{row['policy']}/{row['estimator']}": float(row["value"])
                for row in table.to_dict("records")
            },
        },
        tables={
            "values": ResultTable(
                "Values of policies",
                f"Mean reward a decision, as it was logged, with {given.level:.0%} intervals "
                f"({given.interval.name})."
                + widened
                * " shift, low_new, high_new: what the certificate of changes allows the "
                "rewards of now to differ, and intervals with it.",
                table,
            )
        },
        pictures={"values": _picture(by, best, found)},
        shown=[(f"values by {by}", best.drop(columns=["estimator"]))],
        notes=list(found.notes),
    )


def targets_of(cfg: BanditConfig, log: Log) -> dict[str, np.ndarray]:
    """Tables of probabilities [n, K] by name: each action always, any, and by a model of rewards
    that has not seen the row it decides on."""
    q = predicted_rewards(log, folds=cfg.log.folds, regularisation=ridge_of(cfg), seed=cfg.seed)
    targets: dict[str, np.ndarray] = {
        f"always {name}": always(log, name) for name in log.action_names
    }
    targets["uniform"] = uniform(log)
    targets["greedy"] = greedy(q)
    if cfg.epsilon > 0.0:
        targets[f"greedy, epsilon {cfg.epsilon:g}"] = epsilon_greedy(q, cfg.epsilon)
    if cfg.log.temperature is not None:
        targets[f"softmax, {cfg.log.temperature:g}"] = softmax(q, cfg.log.temperature)
    return targets


def _budgets(cfg: BanditConfig, log: Log) -> Any:
    if cfg.log.changes is None:
        return None
    for name in map(str, cfg.log.changes):
        if name not in log.action_names:
            raise InputError(
                f"log.changes.{name}: no action of the log; allowed: {', '.join(log.action_names)}"
            )
    return from_change_manifest(
        {str(name): budget for name, budget in cfg.log.changes.items()},
        log.action_names,
        dimension=log.contexts.shape[1],
        cap=cfg.log.cap,
        unchanged=cfg.log.unchanged,
    ).budgets


def _ranges(cfg: BanditConfig) -> Ranges | None:
    low, high = cfg.log.reward_low, cfg.log.reward_high
    if low is None or high is None:
        return None
    weight = cfg.log.weight_high
    return Ranges(low, high) if weight is None else Ranges(low, high, weight)


def _of_now(row: Any) -> str:
    return f"; {row['low_new']:.4g} to {row['high_new']:.4g} in those of now"


def _leading(cfg: BanditConfig) -> str:
    """Return the estimator whose values the result and the picture say: of those with empirical
    Bernstein intervals the one that is finite, clipped without a bound on weights."""
    if cfg.log.interval is not IntervalKind.empirical_bernstein:
        return "dr"
    return "clipped_ips" if cfg.log.weight_high is None else "ips"


def _picture(by: str, table: pd.DataFrame, found: Evaluation) -> Any:
    shown = table.assign(half=0.5 * (table["high"] - table["low"]))
    return bar_picture(
        f"Values of policies by {by}",
        "Mean reward a decision, with intervals; the line: what the log's own policy earned.",
        shown,
        "policy",
        ["value"],
        "mean reward",
        limit=found.mean_reward,
        spreads={"value": "half"},
    )
