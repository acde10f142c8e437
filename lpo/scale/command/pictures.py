"""Pictures of accuracy, cost and time: the box of limits, and curves against k."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.runs import Picture
from lpo.runs.box_scenes import Box
from lpo.runs.lines import Lines
from lpo.runs.marked_curves import MarkedCurve, marked_curves
from lpo.runs.pictures import box_picture
from lpo.scale.command.choosing import METHODS, Chosen
from lpo.scale.command.drawing import LABELS, line_picture
from lpo.scale.command.question import Question
from lpo.scale.command.words import slots
from lpo.scale.curves import Curves, Estimate
from lpo.scale.select import cubes, points_of

_AXES = ("accuracy", "cost_usd", "time_s")


def box_of_limits(asked: Question, curves: Curves, chosen: Chosen, first: int) -> Picture:
    """Every model's curve in the box of every scenario; `first`: the model that is shown first."""
    parallel = len(asked.parallel) - 1
    volume = cubes(chosen.options, points_of(curves), asked.limits)
    models = [first, *(i for i in range(len(asked.titles)) if i != first)]
    views = [
        _view(asked, curves, chosen, volume, (s, m, parallel))
        for s in range(len(asked.scenarios))
        for m in models
    ]
    return box_picture(
        "Accuracy, cost and time in the box of limits",
        f"Means of k passes on {slots(asked.parallel[parallel])}. Coloured: the cube score, volume "
        "of the box between a point and the limits. Choose model and scenario above the picture; "
        "drag to turn it.",
        views,
        LABELS,
    )


def curves_of_all(asked: Question, curves: Curves) -> Picture:
    """Accuracy, cost and time against k, a line a model."""
    parallel = len(asked.parallel) - 1
    table = pd.concat(
        [
            pd.DataFrame({"model": title, "k": asked.k, **_means(curves, m, parallel)})
            for m, title in enumerate(asked.titles)
        ],
        ignore_index=True,
    )
    panels = [
        Lines(title, "k", name, "model", log=(True, name != "accuracy"))
        for title, name in zip(("Accuracy", "Cost", "Time"), _AXES, strict=True)
    ]
    return line_picture(
        "All models against the number of passes",
        f"Means of a query on {slots(asked.parallel[parallel])}.",
        table,
        panels,
    )


def curves_of_one(
    asked: Question, curves: Curves, chosen: Chosen, scenario: int, model: int
) -> Picture:
    """Accuracy, cost and time of one model against k, with its limits and what was chosen."""
    parallel = len(asked.parallel) - 1
    place = (scenario, model, parallel)
    feasible = chosen.feasible[place]
    means = _means(curves, model, parallel)
    limits = (asked.limits.accuracy, asked.limits.cost, asked.limits.time)
    panels = [
        MarkedCurve(
            x=np.asarray(asked.k, np.float64),
            y=means[name],
            spread=means[f"{name}_sd"],
            feasible=feasible,
            limit=float(limit[scenario]),
            marks=_chosen_at(chosen, place),
            x_label=LABELS["k"],
            y_label=LABELS[name],
            range=(0.0, 1.0) if name == "accuracy" else (0.0, np.inf),
        )
        for name, limit in zip(_AXES, limits, strict=True)
    ]

    def interactive() -> Any:
        from lpo.runs import interactive_marked_curves  # plotly is an extra

        return interactive_marked_curves.marked_curves(panels, LABELS)

    return Picture(
        f"{asked.titles[model]} in the scenario {asked.scenarios[scenario]}",
        f"Against the number of passes, on {slots(asked.parallel[parallel])}. Shaded: a standard "
        "deviation of a single query; dashed: the limit.",
        marked_curves(panels, LABELS),
        interactive,
    )


def _view(
    asked: Question,
    curves: Curves,
    chosen: Chosen,
    volume: np.ndarray,
    place: tuple[int, int, int],
) -> Box:
    scenario, *where = place
    points = points_of(curves)
    axes = [axis[tuple(where)] for axis in points]
    table = pd.DataFrame(
        dict(zip("xyz", axes, strict=True))
        | {"k": asked.k, "score": volume[place], "feasible": chosen.feasible[place]}
    )
    at = _chosen_at(chosen, place)
    markers = table.iloc[list(at.values())][["x", "y", "z", "k"]].assign(method=list(at))
    return Box(
        f"{asked.titles[where[0]]}, {asked.scenarios[scenario]}",
        table.loc[chosen.allowed[where[1]]],
        tuple(float(np.asarray(limit)[scenario]) for limit in asked.limits),  # pyright: ignore
        markers,
    )


def _chosen_at(chosen: Chosen, place: tuple[int, int, int]) -> dict[str, int]:
    """Indices of k by method, of those that chose."""
    each = zip(METHODS, chosen.selections, strict=True)
    found = {method: int(np.asarray(one.at)[place]) for method, one in each}
    return {method: at for method, at in found.items() if at >= 0}


def _means(curves: Curves, model: int, parallel: int) -> dict[str, np.ndarray]:
    """Means and standard deviations of one model by number of passes."""
    columns: dict[str, np.ndarray] = {}
    for name, estimate in zip(_AXES, (curves.accuracy, curves.cost, curves.time), strict=True):
        mean, spread = (_of(estimate, part, model, parallel) for part in ("mean", "sd"))
        columns |= {name: mean, f"{name}_sd": spread}
    return columns


def _of(estimate: Estimate, part: str, model: int, parallel: int) -> np.ndarray:
    values = np.asarray(getattr(estimate, part))
    return values[model, min(parallel, values.shape[1] - 1)]
