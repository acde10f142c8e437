"""Policies on one family of instances: tables, pictures and what is to be said of them."""

import numpy as np
import pandas as pd

from lpo.bandit.command.config import BanditConfig
from lpo.bandit.command.contest import Contest, contest_of
from lpo.bandit.command.pictures import dimension_picture, regret_picture, use_picture
from lpo.bandit.command.tables import (
    certificate_table,
    mean_table,
    policy_table,
    regret_table,
    rounds_of,
    use_table,
)
from lpo.bandit.contenders import ONLINE
from lpo.runs import Findings, ResultTable

_SHOWN = (
    "policy",
    "regret",
    "low",
    "high",
    "more_low",
    "more_high",
    "to_online",
    "to_best",
    "used_offline",
    "effective_dimension",
    "guarantee",
)


def compare(cfg: BanditConfig) -> Findings:
    """Play all policies on the instances of a configuration, and say what came out."""
    return findings_of(cfg, contest_of(cfg))


def findings_of(cfg: BanditConfig, contest: Contest) -> Findings:
    """What came out of a contest: tables, pictures and notes."""
    rounds = rounds_of(cfg.horizon, cfg.rounds)
    regret, policies = regret_table(contest, rounds), policy_table(contest)
    means, used = mean_table(regret), use_table(contest, rounds)
    certificates = certificate_table(contest)
    asked = means.loc[means["round"].isin([*cfg.rounds, cfg.horizon])]
    dimension = contest.environment.blocks * contest.environment.dimension
    pictures = {
        "regret": regret_picture(means),
        "effective_dimension": dimension_picture(policies, dimension),
    }
    if len(used):
        pictures["used_offline"] = use_picture(used)
    shown: pd.DataFrame = policies.loc[:, list(_SHOWN)]
    return Findings(
        result=_result(cfg, contest, policies),
        metrics=_metrics(policies, float(certificates["kappa"].to_numpy().mean())),
        tables={
            "policies": ResultTable(
                "Policies at the horizon",
                f"Cumulative pseudo-regret after {cfg.horizon} rounds, over {cfg.seeds} seeds. "
                "sem, low, high: standard error and 95 % t-interval of the mean. more, more_low, "
                f"more_high: regret less that of {contest.ours}, seed by seed, and its 95 % "
                f"t-interval. to_online, to_best: over {contest.online}, and over the lower one "
                f"of {contest.online} and pooled. used_offline: "
                "share of rounds whose arm had the smaller width from pooled data. "
                "effective_dimension, remaining_dimension: how many directions the rounds taught "
                "beyond log and prior, by log determinants and by a trace.",
                policies,
            ),
            "rounds": ResultTable(
                "Regret by round", "Means over seeds with 95 % t-intervals.", asked
            ),
            "certificates": ResultTable(
                "Certificate and log",
                "kappa: alignment of certificate and log, small where the log covers only what it "
                "may not be wrong in. log_least, log_most: eigenvalues of the log's gram.",
                certificates,
            ),
        },
        pictures=pictures,
        shown=[("regret at the horizon", shown)],
        notes=_notes(contest, policies),
        files={"regret": regret},
    )


def _metrics(policies: pd.DataFrame, kappa: float) -> dict[str, float | None]:
    found: dict[str, float | None] = {"kappa": kappa}
    for row in policies.to_dict("records"):
        found[f"regret/{row['policy']}"] = float(row["regret"])
        found[f"used_offline/{row['policy']}"] = float(row["used_offline"])
    return found


def _result(cfg: BanditConfig, contest: Contest, policies: pd.DataFrame) -> str:
    best = policies.loc[policies["regret"].idxmin()]
    words = f"least regret after {cfg.horizon} rounds: {best['policy']} with {best['regret']:.4g}"
    if contest.ours is None:
        return words
    row = policies.loc[policies["policy"] == contest.ours].iloc[0]
    compared = f", {row['to_online']:.2g} times {contest.online}" if contest.online else ""
    return f"{words}; {contest.ours} {row['regret']:.4g}{compared}"


def _notes(contest: Contest, policies: pd.DataFrame) -> list[str]:
    """What a reader of the table must not miss."""
    notes = _losses(contest, policies) if contest.ours else []
    for name, played in contest.played.items():
        if contest.policies[name][0].audit:
            closed = 1.0 - played.state.trusted.mean()
            notes.append(f"{name}: the audit falsified {closed:.0%} of the blocks over all seeds.")
    notes += [_learned(contest, name) for name in contest.played if _learns(contest, name)]
    return notes


def _losses(contest: Contest, policies: pd.DataFrame) -> list[str]:
    """Who has less regret than ours, and whether more than chance explains."""
    ours = policies.loc[policies["policy"] == contest.ours].iloc[0]
    notes = []
    for words, sure in (("", True), (" by no more than chance explains", False)):
        less = policies.loc[
            (policies["more"] < 0.0)
            & (((policies["more_high"] < 0.0) & (len(contest.seeds) > 1)) == sure)
        ]
        if len(less):
            each = ", ".join(
                f"{row['policy']} {row['regret']:.4g} (guarantee: {row['guarantee']})"
                for row in less.to_dict("records")
            )
            notes.append(
                f"less regret than {contest.ours} ({ours['regret']:.4g}){words} have: {each}."
            )
    return notes


def _learns(contest: Contest, name: str) -> bool:
    return contest.policies[name][0].learned and ONLINE in contest.played


def _learned(contest: Contest, name: str) -> str:
    """What a learned certificate brought: nothing, by the lemma of docs/bandit.md."""
    own, other = (np.asarray(contest.played[each].arm) for each in (name, ONLINE))
    used = float(np.asarray(contest.played[name].used_offline).mean())
    same = int((own == other).all(1).sum())
    return (
        f"{name}: the log tightened in {used:.2%} of the rounds, and in {same} of {len(own)} seeds "
        f"every arm played is that of {ONLINE}. A certificate that is learned from online "
        "rewards alone brings no gain (docs/bandit.md, Learned certificates)."
    )
