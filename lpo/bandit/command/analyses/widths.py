"""What narrower widths gain and lose, in all cases, beside Thompson sampling."""

import pandas as pd

from lpo.bandit.command.config import BanditConfig, FamilyKind
from lpo.bandit.command.contest import ONLINES, OURS, contest_of, leading
from lpo.bandit.command.pictures import widths_picture
from lpo.bandit.command.tables import policy_table
from lpo.bandit.contenders import ONLINE
from lpo.bandit.families import Case
from lpo.errors import InputError
from lpo.runs import Findings, ResultTable

_SAMPLED = "lints"
CASES = tuple(Case)
"""That are played."""


def find(cfg: BanditConfig) -> Findings:
    """Play all cases and compare policies across them."""
    if not (leading(cfg, ONLINES) or leading(cfg, OURS)):
        raise InputError(
            f"policies: {cfg.policies} given; allowed: with linucb or ellipsoidal (widths)"
        )
    if cfg.environment.family is FamilyKind.product:
        raise InputError("environment.family: product given; allowed: disjoint, spherical (widths)")
    parts = [
        policy_table(contest_of(cfg, case=case)).assign(case=case.value.replace("_", " "))
        for case in CASES
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.loc[:, ["case", "policy", "regret", "low", "high", "used_offline", "guarantee"]]
    wide = table.pivot(index="case", columns="policy", values="regret")
    order = list(dict.fromkeys(table["policy"]))
    wide = wide.loc[list(dict.fromkeys(table["case"])), order].reset_index()
    return Findings(
        result="; ".join(_better(wide, order, than) for than in (ONLINE, _SAMPLED) if than in order)
        or f"{len(wide)} cases",
        metrics={
            f"regret/{row['policy']}/{row['case'].replace(' ', '_')}": float(row["regret"])
            for row in table.to_dict("records")
        },
        tables={
            "widths": ResultTable(
                "Regret by case",
                f"Cumulative pseudo-regret after {cfg.horizon} rounds, means over {cfg.seeds} "
                "seeds. _x: widths so many times as wide as theory says, which voids what theory "
                "guarantees; lints promises nothing either. In false certificate the claim that "
                "nothing changed is wrong.",
                wide,
            ),
            "policies": ResultTable(
                "Regret by case and policy", "Means and 95 % t-intervals over seeds.", table
            ),
        },
        pictures={"widths": widths_picture(_by_scale(cfg, table), _sampled(table))},
        shown=[("regret by case", wide)],
        notes=[
            "least regret: "
            + ", ".join(f"{case} {name}" for case, name in _least(wide, order).items())
            + ". Widths below 1 and lints promise nothing."
        ],
    )


def _by_scale(cfg: BanditConfig, table: pd.DataFrame) -> pd.DataFrame:
    """The policies that are played at several scales, with the scale of their widths, above 0."""
    parts = []
    for name in filter(None, (leading(cfg, ONLINES), leading(cfg, OURS))):
        scales = {name: cfg.width_scale, **{f"{name}_x{each:g}": each for each in cfg.width_scales}}
        own = table.loc[table["policy"].isin([one for one, scale in scales.items() if scale > 0.0])]
        parts.append(own.assign(of=name, scale=own["policy"].map(scales)))
    return pd.concat(parts, ignore_index=True)


def _sampled(table: pd.DataFrame) -> dict[str, float]:
    """Regret of Thompson sampling by case."""
    own = table.loc[table["policy"] == _SAMPLED]
    return dict(zip(own["case"], own["regret"], strict=True))


def _better(wide: pd.DataFrame, policies: list[str], than: str) -> str:
    """In how many cases each policy has less regret than one of them."""
    counts = [
        f"{name} {int((wide[name].to_numpy() < wide[than].to_numpy()).sum())}"
        for name in policies
        if name != than
    ]
    return f"cases of {len(wide)} with less regret than {than}: {', '.join(counts)}"


def _least(wide: pd.DataFrame, policies: list[str]) -> dict[str, str]:
    return {
        row["case"]: min(policies, key=lambda name: row[name]) for row in wide.to_dict("records")
    }
