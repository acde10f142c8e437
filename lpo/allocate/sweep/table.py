"""The table of a sensitivity analysis: one row a point, in the order of the grid."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from lpo.allocate.instance import Instance
from lpo.allocate.sweep.analyses import Analysis
from lpo.allocate.sweep.columns import common_columns
from lpo.allocate.sweep.point import Point


def sweep_table(instance: Instance, analysis: Analysis, points: Iterable[Point]) -> pd.DataFrame:
    """Return the points known so far; of two with equal scales the later one counts.

    Columns: the two scales, status, solve_time (s), gap, those of `plan_columns`, those of the
    analysis, reason. A point without a plan has neither gap nor the columns of a plan.
    """
    known = {(point.a, point.b): point for point in points}
    names = (
        analysis.a.column,
        analysis.b.column,
        "status",
        "solve_time",
        "gap",
        *common_columns(instance.tensor_parallel),
        *analysis.extra,
        "reason",
    )
    rows = []
    for place in analysis.points:
        if place not in known:
            continue
        point = known[place]
        solved = point.solved
        rows.append(
            {
                analysis.a.column: point.a,
                analysis.b.column: point.b,
                "status": str(solved.status),
                "solve_time": solved.seconds,
                "gap": np.nan if solved.gap is None else solved.gap,
                **point.row,
                "reason": point.reason,
            }
        )
    table = pd.DataFrame(rows, columns=pd.Index(names))
    text = ("status", "reason")
    return table.astype({name: np.float64 for name in names if name not in text})
