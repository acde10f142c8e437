"""Pictures of gaps by work, and of what more samples bring."""

import pandas as pd

from lpo.runs import Picture
from lpo.runs.lines import Lines
from lpo.runs.pictures import line_picture

_LABELS = {
    "evaluations": "gradients taken",
    "gap_median": "relative gap, median",
    "gap_mean": "relative gap, mean",
    "value_mean": "objective, mean",
    "method": "method",
    "samples": "samples",
}


def work_picture(curves: pd.DataFrame, target: float) -> Picture:
    """Gaps over gradients taken, a line a method."""
    shown = curves.loc[(curves["evaluations"] > 0) & (curves["gap_median"] > 0)]
    return line_picture(
        "Gap by work",
        "Of the best point so far, over test problems; the line: the target. Samples alone are "
        "points, at the gradients of all of them together.",
        shown,
        [
            Lines(
                "Median", "evaluations", "gap_median", "method", reference=target, log=(True, True)
            ),
            Lines("Mean", "evaluations", "gap_mean", "method", reference=target, log=(True, True)),
        ],
        _LABELS,
    )


def best_of_picture(diverse: pd.DataFrame) -> Picture:
    """What the best of so many samples is worth."""
    return line_picture(
        "The best of several samples",
        "Of the samples with the most levels; mean over test problems.",
        diverse,
        [Lines("Best of so many", "samples", "gap_mean", log=(True, True))],
        _LABELS,
    )
