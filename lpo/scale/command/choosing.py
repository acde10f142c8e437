"""What is chosen in every scenario: for each model and number of slots, and among all of them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.scale.command.config import FeasibilityKind, ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.curves import Curves, Limits
from lpo.scale.select import (
    Choice,
    Joint,
    Options,
    Place,
    Points,
    Selections,
    Shortfall,
    allowed_grid,
    choices,
    cubes,
    feasible_by_chance,
    feasible_by_mean,
    front_hypervolume,
    joint,
    make_options,
    places,
    points_of,
    select,
    shortfall,
)

METHODS = Selections._fields
LIMITS = ("cost", "time", "accuracy")


class Chosen(NamedTuple):
    """allowed bool [p, K], feasible bool [s, m, p, K]. selections: of each model and number of
    slots, `at` [s, m, p]. missing: what stands in the way, [s, m, p]. joint: over all of them.
    hypervolume: [s, m, p]."""

    options: Options
    allowed: np.ndarray
    feasible: np.ndarray
    selections: Selections
    missing: Shortfall
    joint: Joint
    hypervolume: np.ndarray


def choose(cfg: ScaleConfig, asked: Question, curves: Curves) -> Chosen:
    """Return what each method chooses among the passes that keep the limits."""
    options = make_options(scale=cfg.axes.name, cube=cfg.cube.name)
    allowed = allowed_grid(asked.k, asked.parallel, cfg.grid.name)
    by_chance = cfg.feasibility is FeasibilityKind.chance
    if by_chance:
        feasible = feasible_by_chance(curves, cfg.epsilon, allowed).feasible
    else:
        feasible = feasible_by_mean(curves, asked.limits, allowed)
    points = points_of(curves)
    return Chosen(
        options,
        allowed,
        feasible,
        select(options, points, feasible, asked.limits, k=asked.k),
        shortfall(curves, asked.limits, allowed),
        joint(
            options,
            curves,
            asked.limits,
            allowed,
            slot_price=cfg.slot_price,
            most_parallel=cfg.most_parallel,
            feasible=feasible if by_chance else None,
        ),
        front_hypervolume(points, feasible, asked.limits),
    )


def selection_table(asked: Question, curves: Curves, chosen: Chosen) -> pd.DataFrame:
    """One row a model, scenario, number of slots and method; k = -1 where nothing was chosen."""
    s, m, p = chosen.missing.at.shape
    scenario, model, slots = np.indices((s, m, p))
    keeps, tables = np.asarray(chosen.feasible.any(-1)), []
    for rank, (method, one) in enumerate(zip(METHODS, chosen.selections, strict=True)):
        found = choices(curves, asked.limits, places(one.at))
        table = pd.DataFrame(
            {
                "model": np.array(asked.models.names)[model.ravel()],
                "scenario": np.array(asked.scenarios)[scenario.ravel()],
                "method": method,
                **_columns(asked, chosen, points_of(curves), places(one.at), found, keeps),
                "hypervolume": chosen.hypervolume.ravel(),
                "note": _reasons(asked, chosen, np.asarray(one.at)),
            }
        )
        table["parallel"] = asked.parallel[slots.ravel()]
        table.insert(9, "score", np.asarray(one.score, np.float64).ravel())
        tables.append(table.assign(rank=rank, case=np.arange(len(table))))
    rows = pd.concat(tables).sort_values(["case", "rank"], kind="stable", ignore_index=True)
    return rows.drop(columns=["case", "rank"])


def joint_table(asked: Question, chosen: Chosen) -> pd.DataFrame:
    """One row a scenario and method: the choice among all models, passes and slots."""
    found = chosen.joint
    choice = choices(found.curves, asked.limits, found.place)
    names = np.array([*asked.models.names, "–"])
    s, methods = found.place.k.shape
    keeps = np.asarray(found.feasible.any((1, 2, 3)))[:, None]
    columns = _columns(asked, chosen, points_of(found.curves), found.place, choice, keeps)
    return pd.DataFrame(
        {
            "scenario": np.repeat(asked.scenarios, methods),
            "method": np.tile(METHODS, s),
            "model": names[found.place.model].ravel(),
            **columns,
            "score": np.stack([one.score for one in found.selections], -1).ravel(),
        }
    )


def front_table(asked: Question, chosen: Chosen) -> pd.DataFrame:
    """The efficient points of all models, passes and slots, in increasing cost."""
    points = points_of(chosen.joint.curves)
    tables = [
        pd.DataFrame(
            {
                "scenario": scenario,
                "model": np.array(asked.models.names)[place.model],
                "k": asked.k[place.k],
                "parallel": asked.parallel[place.parallel],
                "cost_usd": points.cost[place],
                "time_s": points.time[place],
                "accuracy": points.accuracy[place],
            }
        )
        for scenario, place in zip(asked.scenarios, chosen.joint.front, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def _columns(
    asked: Question,
    chosen: Chosen,
    points: Points,
    place: Place,
    found: Choice,
    keeps: np.ndarray,
) -> dict[str, Any]:
    """What is known of choices [s, ...], in rows; keeps: whether anything keeps the limits."""
    none = np.asarray(place.k) < 0
    bounds = Limits(*(np.reshape(limit, (-1,) + (1,) * (none.ndim - 1)) for limit in asked.limits))
    scenario = np.indices(none.shape)[0]
    volume = cubes(chosen.options, points, asked.limits)
    at = (scenario, *(np.maximum(each, 0) for each in place))
    distance = np.sqrt(
        (found.cost.mean / bounds.cost) ** 2
        + (found.time.mean / bounds.time) ** 2
        + (1.0 - found.accuracy.mean) ** 2
    )
    columns = {
        "k": found.k,
        "parallel": found.parallel,
        "cost_usd": found.cost.mean,
        "time_s": found.time.mean,
        "accuracy": found.accuracy.mean,
        "feasible": np.broadcast_to(keeps, none.shape),
        "cost_sd": found.cost.sd,
        "time_sd": found.time.sd,
        "accuracy_sd": found.accuracy.sd,
        "cost_per_pass_usd": found.pass_cost,
        "time_per_pass_s": found.pass_time,
        "cost_slack_usd": found.slack.cost,
        "time_slack_s": found.slack.time,
        "accuracy_slack": found.slack.accuracy,
        "cube": np.where(none, np.nan, volume[at]),
        "utopia_distance": distance,
    }
    return {name: np.asarray(values).ravel() for name, values in columns.items()}


def _reasons(asked: Question, chosen: Chosen, at: np.ndarray) -> list[str]:
    """Why nothing was chosen, in words; empty where something was."""
    keeps = np.asarray(chosen.feasible.any(-1))
    words = []
    for place in np.ndindex(at.shape):
        if at[place] >= 0:
            words.append("")
        elif keeps[place]:
            words.append("fewer than three points on the front")
        else:
            words.append(missed_words(asked, chosen.missing, place))
    return words


def missed_words(asked: Question, missing: Shortfall, place: tuple[int, ...]) -> str:
    """Which limits the nearest number of passes misses, and by how much."""
    nearest = int(missing.at[place])
    if nearest < 0:
        return "no number of passes is allowed"
    units = ("{:.3g} $", "{:.3g} s", "{:.3g}")
    parts = [
        f"{name} by {unit.format(missed[place])}"
        for name, unit, missed in zip(LIMITS, units, missing.missed, strict=True)
        if missed[place] > 0.0
    ]
    if not parts:
        return f"k = {asked.k[nearest]} keeps the limits in the mean, not often enough"
    return f"nearest, k = {asked.k[nearest]}, misses {' and '.join(parts)}"
