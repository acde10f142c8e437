"""Pictures of gaps by work, and of what more samples bring."""

import pandas as pd

from lpo.runs import Picture
from lpo.runs.lines import Lines
from lpo.runs.pictures import line_picture

_LABELS = {
    "evaluations": "gradients taken",
    "gap_median": "relative gap, median",
    "gap_mean": "relative gap, mean",
    "value_median": "{value}, median",
    "value_mean": "{value}, mean",
    "method": "method",
    "samples": "samples",
}


def work_picture(curves: pd.DataFrame, goal: float, value: str | None = None) -> Picture:
    """Gaps over gradients taken, a line a method; value: the name of what is drawn instead."""
    what = "gap" if value is None else "value"
    median, mean = f"{what}_median", f"{what}_mean"
    shown = curves.loc[(curves["evaluations"] > 0) & (curves[median] > 0)]
    name = "gap" if value is None else value
    return line_picture(
        f"{name[0].upper()}{name[1:]} by work",
        "Of the best point so far, over test problems; the line: the target. Samples alone are "
        "points, at the gradients of all of them together.",
        shown,
        [
            Lines("Median", "evaluations", median, "method", reference=goal, log=(True, True)),
            Lines("Mean", "evaluations", mean, "method", reference=goal, log=(True, True)),
        ],
        _labels(value),
    )


def best_of_picture(diverse: pd.DataFrame, value: str | None = None) -> Picture:
    """What the best of so many samples is worth; value: as of `work_picture`."""
    return line_picture(
        "The best of several samples",
        "Of the samples with the most levels; mean over test problems.",
        diverse,
        [
            Lines(
                "Best of so many",
                "samples",
                "gap_mean" if value is None else "value_mean",
                log=(True, True),
            )
        ],
        _labels(value),
    )


def _labels(value: str | None) -> dict[str, str]:
    return {name: words.format(value=value) for name, words in _LABELS.items()}
