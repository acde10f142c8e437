"""Means of a class against fleet size, a panel each, beside what the policies planned."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from lpo.runs.lines import Lines


class ClassPanels(NamedTuple):
    """What `line_picture` takes: a table with a column a panel, the panels and their labels."""

    table: pd.DataFrame
    panels: list[Lines]
    labels: dict[str, str]


def class_panels(table: pd.DataFrame, stages: Mapping[str, tuple[str, str]]) -> ClassPanels:
    """Return a row of panels for each class, one panel a stage, over `n` and by `policy`.

    **Arguments:**

    - `table`: columns policy, n, class, and for every stage its mean, `<stage>_se` and
      `planned_<stage>`.
    - `stages`: the title of a panel and the label of its axis, by the column.
    """
    wide, panels, labels = table.copy(), [], {}
    for number in table["class"].unique():
        here = table["class"] == number
        for stage, (title, label) in stages.items():
            of_class = {
                name: f"{name}_{number}" for name in (stage, f"{stage}_se", f"planned_{stage}")
            }
            for name, own in of_class.items():
                wide[own] = table[name].where(here)
            mean, error, plan = of_class.values()
            heading = f"Class {number}: {title}"
            panels.append(
                Lines(heading, "n", mean, "policy", error, reference=plan, log=(True, False))
            )
            labels[mean] = label
    return ClassPanels(wide, panels, labels)
