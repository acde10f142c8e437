"""Pictures of the study: every method on every architecture, beside the floor."""

import pandas as pd

from lpo.runs import Picture, figures
from lpo.runs.style import BASELINE
from lpo.study.tables import FLOOR, RULE

SHOWN_RULES = ("mean7_tuned", "max7_tuned", "linear_quantile", "time_of_day")
WORDS = {"average": "Average over shifted sets", "worst": "Worst shifted set"}
CAPTION = (
    "Means over seeds with 95 % t-intervals. Rules that cost more than every method are left out."
)
FLOORED = " Over sets that have a floor; dashed: predictors that know the shift."


def summary_pictures(summary: pd.DataFrame, label: str) -> dict[str, Picture]:
    """Dots of `average` and `worst` of one setting, where it has shifted sets that count.

    `summary`: rows of `summary_table`. `label`: the score in words with its unit. Where there are
    floors, only sets that have one are shown.
    """
    pictures = {}
    for value, words in WORDS.items():
        column = f"floored_{value}" if f"floored_{value}" in summary else value
        if column in summary:
            title = f"{words}: {summary['setting'].iloc[0]}"
            pictures[value] = _picture(summary, column, title, label)
    return pictures


def _picture(summary: pd.DataFrame, column: str, title: str, label: str) -> Picture:
    rows = shown(summary, column)
    dearest = rows.loc[rows["architecture"] != RULE, column].max()
    rows = rows.loc[~(rows[column] > dearest)]
    ends = {column: "score", f"{column}_low": "score_low", f"{column}_high": "score_high"}
    dots = rows[["method", "architecture", *ends]].rename(columns=ends)
    floor = summary.loc[summary["architecture"] == FLOOR[0], column].tolist()
    static = figures.intervals(dots, "method", "architecture", "score", label)
    for x in floor:
        panel = static.axes[0]
        panel.axvline(x, color=BASELINE, linestyle="--", linewidth=1)
        panel.annotate("floor", (x, 1.0), xycoords=("data", "axes fraction"), ha="center")

    def interactive():
        from lpo.runs import interactive  # plotly is an extra

        figure = interactive.intervals(dots, "method", "architecture", "score", label)
        for x in floor:
            figure.add_vline(x, line_dash="dash", line_color=BASELINE, annotation_text="floor")
        return figure

    return Picture(title, CAPTION + FLOORED * bool(floor), static, interactive)


def shown(summary: pd.DataFrame, value: str) -> pd.DataFrame:
    """Rows of methods, the best first by its best architecture, then those of reference rules."""
    rule = summary["architecture"] == RULE
    kept = (summary["architecture"] != FLOOR[0]) & (~rule | summary["method"].isin(SHOWN_RULES))
    rows = summary.loc[kept].dropna(subset=[value])
    best = rows.groupby("method")[value].transform("min")
    return rows.assign(rule=rule, best=best).sort_values(["rule", "best"], kind="stable")
