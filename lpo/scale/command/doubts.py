"""What the confidence intervals of a simulated choice leave open."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.scale.command.question import Question
from lpo.scale.command.tables import LEVEL

UNDECIDED = "undecided: "
_AXES = (("cost", "cost_usd", " $"), ("time", "time_s", " s"), ("accuracy", "accuracy", ""))


def doubts(asked: Question, table: pd.DataFrame, needed: float | None) -> list[str]:
    """Return of each row of choices which limits lie inside its confidence intervals, in words.

    Empty where none does, and where nothing was chosen. needed: the chance that a query must have
    to keep all limits, None where means count.
    """
    each = [
        dict(zip(asked.scenarios, np.asarray(limit, np.float64), strict=True))
        for limit in asked.limits
    ]
    said = []
    for row in table.to_dict("records"):
        parts = []
        if needed is not None:
            parts.append(_part(row, "chance", "chance", needed, "", "the chance needed"))
        else:
            for limit, (name, column, unit) in zip(each, _AXES, strict=True):
                bound = float(limit[row["scenario"]])
                parts.append(_part(row, name, f"{column}_mean", bound, unit, "the limit"))
        kept = [part for part in parts if part]
        words = f"{UNDECIDED}{' and '.join(kept)}; more trials decide" if kept else ""
        said.append(words if row["k"] > 0 else "")
    return said


def same_draws(selections: pd.DataFrame, together: pd.DataFrame) -> str:
    """How many choices are undecided, and what else to know of choices from simulated queries."""
    counts = [
        f"{table['note'].str.startswith(UNDECIDED).sum()} of {(table['k'] > 0).sum()} choices {of}"
        for of, table in (("for each model", selections), ("among all models", together))
    ]
    return (
        f"{' and '.join(counts)} are undecided: an interval at {100 * LEVEL:g} % has its limit "
        "inside (column note). Choices were selected and judged on the same draws."
    )


def _part(row: Any, name: str, column: str, bound: float, unit: str, what: str) -> str:
    low, high = (row.get(f"{column}_{end}", np.nan) for end in ("low", "high"))
    if not low < bound < high:
        return ""
    return f"{name} {low:.4g} to {high:.4g}{unit} ({100 * LEVEL:g} %) around {what} of {bound:g}"
