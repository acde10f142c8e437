"""Policies on one family of instances: tables, pictures and what is to be said of them."""

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
from lpo.bandit.contenders import ELLIPSOIDAL
from lpo.runs import Findings, ResultTable

_SHOWN = (
    "policy",
    "regret",
    "sem",
    "to_online",
    "to_best",
    "used_offline",
    "effective_dimension",
    "guarantee",
)


def compare(cfg: BanditConfig) -> Findings:
    """Play all policies on the instances of a configuration, and say what came out."""
    contest = contest_of(cfg)
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
        result=_result(cfg, policies),
        metrics=_metrics(policies, float(certificates["kappa"].to_numpy().mean())),
        tables={
            "policies": ResultTable(
                "Policies at the horizon",
                f"Cumulative pseudo-regret after {cfg.horizon} rounds, over {cfg.seeds} seeds. "
                "sem, low, high: standard error and 95 % t-interval of the mean. to_online, "
                "to_best: over linucb, and over the lower one of linucb and pooled. used_offline: "
                "share of rounds whose arm had the smaller width from pooled data.",
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
            "regret": ResultTable("Regret of each seed", "Cumulative.", regret),
        },
        pictures=pictures,
        shown=[("regret at the horizon", shown)],
        notes=_notes(contest, policies),
    )


def _metrics(policies: pd.DataFrame, kappa: float) -> dict[str, float | None]:
    found: dict[str, float | None] = {"kappa": kappa}
    for row in policies.to_dict("records"):
        found[f"regret/{row['policy']}"] = float(row["regret"])
        found[f"used_offline/{row['policy']}"] = float(row["used_offline"])
    return found


def _result(cfg: BanditConfig, policies: pd.DataFrame) -> str:
    best = policies.loc[policies["regret"].idxmin()]
    words = f"least regret after {cfg.horizon} rounds: {best['policy']} with {best['regret']:.4g}"
    ours = policies.loc[policies["policy"] == ELLIPSOIDAL]
    if not len(ours):
        return words
    row = ours.iloc[0]
    compared = f", {row['to_online']:.2g} times linucb" if pd.notna(row["to_online"]) else ""
    return f"{words}; {ELLIPSOIDAL} {row['regret']:.4g}{compared}"


def _notes(contest: Contest, policies: pd.DataFrame) -> list[str]:
    """What a reader of the table must not miss."""
    notes = []
    ours = policies.loc[policies["policy"] == ELLIPSOIDAL, "regret"]
    if len(ours):
        better = policies.loc[policies["regret"] < ours.iloc[0]]
        for _, row in better.iterrows():
            if row["guarantee"] != "theory":
                notes.append(
                    f"{row['policy']} has less regret than {ELLIPSOIDAL} ({row['regret']:.4g}); "
                    f"its guarantee: {row['guarantee']}."
                )
    for name, played in contest.played.items():
        if contest.policies[name][0].audit:
            closed = 1.0 - played.state.trusted.mean()
            notes.append(f"{name}: the audit falsified {closed:.0%} of the blocks over all seeds.")
    return notes
