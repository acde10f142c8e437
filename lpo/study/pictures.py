"""Pictures of the study: every method on every architecture, beside the floor."""

import pandas as pd

from lpo.runs import Picture, figures
from lpo.runs.style import BASELINE
from lpo.study.tables import FLOOR, RULE

SHOWN_RULES = ("mean7_tuned", "max7_tuned", "linear_quantile", "time_of_day")
WORDS = {"average": "Average over shifted sets", "worst": "Worst shifted set"}


def summary_pictures(summary: pd.DataFrame, label: str) -> dict[str, Picture]:
    """Dots of `average` and `worst` of one setting, where it has shifted sets that count.

    `summary`: rows of `summary_table`. `label`: the score in words with its unit.
    """
    return {
        value: _picture(summary, value, words, label)
        for value, words in WORDS.items()
        if value in summary
    }


def _picture(summary: pd.DataFrame, value: str, words: str, label: str) -> Picture:
    rows = shown(summary, value)
    floor = summary.loc[summary["architecture"] == FLOOR[0], value].dropna()
    static = figures.intervals(rows, "method", "architecture", value, label)
    for x in floor:
        panel = static.axes[0]
        panel.axvline(x, color=BASELINE, linestyle="--", linewidth=1)
        panel.annotate("floor", (x, 1.0), xycoords=("data", "axes fraction"), ha="center")

    def interactive():
        from lpo.runs import interactive  # plotly is an extra

        figure = interactive.intervals(rows, "method", "architecture", value, label)
        for x in floor:
            figure.add_vline(x, line_dash="dash", line_color=BASELINE, annotation_text="floor")
        return figure

    caption = "Means over seeds with 95 % t-intervals."
    if len(floor):
        caption += " Dashed: predictors trained on each set itself, which no method may be."
    return Picture(f"{words}: {summary['setting'].iloc[0]}", caption, static, interactive)


def shown(summary: pd.DataFrame, value: str) -> pd.DataFrame:
    """Rows of methods and of the reference rules, the best first by its best architecture."""
    is_rule = summary["architecture"] == RULE
    kept = ~is_rule | summary["method"].isin(SHOWN_RULES)
    rows = summary.loc[kept & (summary["architecture"] != FLOOR[0])].dropna(subset=[value])
    best = rows.groupby("method")[value].transform("min")
    return rows.assign(best=best).sort_values("best", kind="stable")
