"""What other policies would have earned, from a log file: `+experiment=off_policy log.path=...`."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.bandit.certificate import from_change_manifest
from lpo.bandit.command.config import BanditConfig, ridge_of
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
from lpo.runs import Findings, ResultTable
from lpo.runs.pictures import bar_picture

_BEST = "dr"
"""Whose values the result and the picture say."""


def find(cfg: BanditConfig) -> Findings:
    """Value policies by every estimator from a log, and say which one would have earned most.

    Raises InputError as `read_log` and `evaluate` do, and on changes of unknown actions.
    """
    given = cfg.log
    if given.path is None:
        raise InputError("log.path: null given; allowed: a .csv, .csv.gz or .parquet file")
    log = read_log(
        given.path,
        context=given.context,
        action=given.action,
        reward=given.reward,
        propensity=given.propensity,
        actions=given.actions,
    )
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
    best = table.loc[table["estimator"] == _BEST]
    first = best.loc[best["value"].idxmax()]
    return Findings(
        result=(
            f"{len(log.rewards)} decisions, mean reward {found.mean_reward:.4g}; by {_BEST} the "
            f"most is {first['policy']} with {first['value']:.4g} "
            f"({first['low']:.4g} to {first['high']:.4g}), in rewards as they were logged"
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
        pictures={"values": _picture(best, found)},
        shown=[(f"values by {_BEST}", best.drop(columns=["estimator"]))],
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
    if not isinstance(cfg.log.changes, dict):
        raise InputError(
            f"log.changes: {cfg.log.changes} given; allowed: null, or budgets by action"
        )
    return from_change_manifest(
        cfg.log.changes,
        log.action_names,
        dimension=log.contexts.shape[1],
        cap=cfg.log.cap,
        unchanged=cfg.log.unchanged,
    ).budgets


def _ranges(cfg: BanditConfig) -> Ranges | None:
    low, high = cfg.log.reward_low, cfg.log.reward_high
    if low is None or high is None:
        return None
    return Ranges(low, high)


def _picture(table: pd.DataFrame, found: Evaluation) -> Any:
    shown = table.assign(half=0.5 * (table["high"] - table["low"]))
    return bar_picture(
        f"Values of policies by {_BEST}",
        "Mean reward a decision, with intervals; the line: what the log's own policy earned.",
        shown,
        "policy",
        ["value"],
        "mean reward",
        limit=found.mean_reward,
        spreads={"value": "half"},
    )
