"""Pictures of regret, of the use of logs, and of what is left to learn."""

import pandas as pd

from lpo.runs import Picture
from lpo.runs.lines import Lines
from lpo.runs.pictures import bar_picture, line_picture

LABELS = {
    "round": "round",
    "regret": "cumulative regret",
    "used_offline": "share of rounds in which the log tightened",
    "policy": "policy",
    "saved": "regret that the log saved",
    "ratio": "regret of linucb over that of ellipsoidal",
    "rows": "rows of the log",
    "arm": "arm",
    "scale": "times the widths of theory",
}
"""Columns in words."""

FAR = 3.0
"""Times the median: curves that end above are left to the interactive picture's legend."""


def regret_picture(means: pd.DataFrame) -> Picture:
    """Regret curves, means and 95 % intervals over seeds: all, and those that end low."""
    ends = means.loc[means["round"] == means["round"].max()].set_index("policy")["regret"]
    limit = FAR * ends.median()
    low = [name for name, end in ends.items() if end <= limit]
    every = means.assign(low_ones=means["regret"].where(means["policy"].isin(low)))
    panels = [Lines("All policies", "round", "regret", "policy", band=("low", "high"))]
    if 1 < len(low) < len(ends):
        panels.append(
            Lines("Those that end low", "round", "low_ones", "policy", band=("low", "high"))
        )
    return line_picture(
        "Regret",
        "Mean over seeds and its 95 % interval.",
        every,
        panels,
        LABELS | {"low_ones": LABELS["regret"]},
    )


def use_picture(used: pd.DataFrame) -> Picture:
    """Share of rounds in which logs tightened, over rounds."""
    return line_picture(
        "Use of the log",
        "Share of rounds in which the pooled width of the played arm was the smaller one.",
        used,
        [Lines("", "round", "used_offline", "policy")],
        LABELS,
    )


def dimension_picture(policies: pd.DataFrame, dimension: int) -> Picture:
    """Effective dimensions as bars, beside the dimension."""
    known = policies.dropna(subset=["effective_dimension"])
    return bar_picture(
        "Effective dimension",
        f"How many directions the rounds taught beyond log and prior, of {dimension}.",
        known,
        "policy",
        ["effective_dimension"],
        "effective dimension",
        limit=float(dimension),
    )


def horizon_picture(table: pd.DataFrame) -> Picture:
    """What a log saves, and the ratio of regrets, over rounds: a line a length of log."""
    shown = table.assign(rows=table["rows"].astype(str))
    return line_picture(
        "What a log is worth, by horizon",
        "Means over seeds: regret of linucb less, and over, that of ellipsoidal.",
        shown,
        [
            Lines("Saved", "round", "saved", "rows", log=(True, False)),
            Lines("Ratio", "round", "ratio", "rows", reference=1.0, log=(True, True)),
        ],
        LABELS,
    )


def widths_picture(table: pd.DataFrame, sampled: dict[str, float]) -> Picture:
    """Regret by the scale of widths, a panel a case; `sampled`: of Thompson sampling in each."""
    cases = list(dict.fromkeys(table["case"]))
    wide = table.assign(**{case: table["regret"].where(table["case"] == case) for case in cases})
    return line_picture(
        "Regret by width",
        "Means over seeds; 1: widths of theory." + bool(sampled) * " Dashed: lints.",
        wide,
        [Lines(case, "scale", case, "of", reference=sampled.get(case)) for case in cases],
        LABELS | dict.fromkeys(cases, LABELS["regret"]) | {"of": "policy"},
    )


def share_picture(shares: pd.DataFrame) -> Picture:
    """Shares of requests by arm over rounds: a panel a policy, the log at round 0."""
    names = list(dict.fromkeys(shares["policy"]))
    wide = shares.assign(
        **{name: shares["share"].where(shares["policy"] == name) for name in names}
    )
    return line_picture(
        "Who serves the requests",
        "Shares of the requests since the point before, means over seeds. At round 0: in the log.",
        wide,
        [Lines(name, "round", name, "arm") for name in names],
        LABELS | dict.fromkeys(names, "share of requests"),
    )


def arms_picture(arms: pd.DataFrame, columns: list[str]) -> Picture:
    """Shares of requests by arm as bars: of the log, of the best arms, of policies."""
    return bar_picture(
        "Shares of requests by arm",
        "log: what the earlier deployment chose. best: where the arm is the best one now. "
        "Others: policies, over the last quarter of the rounds; means over seeds.",
        arms,
        "arm",
        columns,
        "share of requests",
    )
