"""What is chosen in every scenario: for each model and number of slots, and among all of them."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.scale.command.config import FeasibilityKind, ScaleConfig
from lpo.scale.command.distances import utopia_distances
from lpo.scale.command.doubts import doubts
from lpo.scale.command.question import Question
from lpo.scale.command.reasons import NO_KNEE, Missed, case_words, scenario_words
from lpo.scale.command.tables import chances, mean_intervals
from lpo.scale.curves import Curves
from lpo.scale.select import (
    Choice,
    Joint,
    Options,
    Place,
    Points,
    Selections,
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


class Chosen(NamedTuple):
    """allowed bool [p, K], feasible bool [s, m, p, K]. selections: of each model and number of
    slots, `at` [s, m, p]. missed: what stands in the way of each. joint: over all of them.
    missed_together: what stands in the way there, with those slots alone that may be used.
    hypervolume: [s, m, p]. needed: chance to keep the limits, None where means count."""

    options: Options
    allowed: np.ndarray
    feasible: np.ndarray
    selections: Selections
    missed: Missed
    joint: Joint
    missed_together: Missed
    hypervolume: np.ndarray
    needed: float | None


def choose(cfg: ScaleConfig, asked: Question, curves: Curves) -> Chosen:
    """Return what each method chooses among the passes that keep the limits.

    curves: with the price of slots in their cost (`with_slots`).
    """
    options = make_options(scale=cfg.axes.name, cube=cfg.cube.name)
    allowed = allowed_grid(asked.k, asked.parallel, cfg.grid.name)
    by_chance = cfg.feasibility is FeasibilityKind.chance

    def missed(of: Curves, may: np.ndarray) -> Missed:
        chance = feasible_by_chance(of, cfg.epsilon, may) if by_chance else None
        return Missed(shortfall(of, asked.limits, may), chance, 1.0 - cfg.epsilon)

    alone = missed(curves, allowed)
    if alone.chance is None:
        feasible = feasible_by_mean(curves, asked.limits, allowed)
    else:
        feasible = alone.chance.feasible
    points = points_of(curves)
    together = joint(
        options,
        curves,
        asked.limits,
        allowed,
        most_parallel=cfg.most_parallel,
        feasible=feasible if by_chance else None,
    )
    usable = allowed
    if cfg.most_parallel is not None:
        usable = allowed & (asked.parallel <= cfg.most_parallel)[:, None]
    return Chosen(
        options,
        allowed,
        feasible,
        select(options, points, feasible, asked.limits, k=asked.k),
        alone,
        together,
        missed(together.curves, usable),
        front_hypervolume(points, feasible, asked.limits),
        1.0 - cfg.epsilon if by_chance else None,
    )


def selection_table(asked: Question, curves: Curves, chosen: Chosen) -> pd.DataFrame:
    """One row a model, scenario, number of slots and method; k = -1 where nothing was chosen."""
    s, m, p = chosen.hypervolume.shape
    scenario, model, slots = np.indices((s, m, p))
    keeps, tables = np.asarray(chosen.feasible.any(-1)), []
    at = np.stack([one.at for one in chosen.selections], -1)
    away = utopia_distances(chosen.options, points_of(curves), chosen.feasible, at, asked.limits)
    for rank, (method, one) in enumerate(zip(METHODS, chosen.selections, strict=True)):
        found = choices(curves, asked.limits, places(one.at))
        table = pd.DataFrame(
            {
                "model": np.array(asked.models.names)[model.ravel()],
                "scenario": np.array(asked.scenarios)[scenario.ravel()],
                "method": method,
                **_columns(asked, chosen, curves, places(one.at), found, away[..., rank]),
                "hypervolume": chosen.hypervolume.ravel(),
                "note": _notes(one.at, keeps, partial(case_words, asked, chosen.missed)),
            }
        )
        table["parallel"] = asked.parallel[slots.ravel()]
        table.insert(9, "score", np.asarray(one.score, np.float64).ravel())
        tables.append(table.assign(rank=rank, case=np.arange(len(table))))
    rows = pd.concat(tables).sort_values(["case", "rank"], kind="stable", ignore_index=True)
    return _with_doubts(asked, chosen, rows.drop(columns=["case", "rank"]))


def joint_table(asked: Question, chosen: Chosen) -> pd.DataFrame:
    """One row a scenario and method: the choice among all models, passes and slots; k = -1 where
    nothing was chosen."""
    found = chosen.joint
    choice = choices(found.curves, asked.limits, found.place)
    names = np.array([*asked.models.names, "–"])
    s, methods = found.place.k.shape
    keeps = np.asarray(found.feasible.any((1, 2, 3)))[:, None]
    points, grid = points_of(found.curves), found.feasible.shape[1:]
    at = np.ravel_multi_index(tuple(np.maximum(each, 0) for each in found.place), grid)
    away = utopia_distances(
        chosen.options,
        Points(*(axis.ravel() for axis in points)),
        found.feasible.reshape(s, -1),
        np.where(found.place.k < 0, -1, at),
        asked.limits,
    )
    columns = _columns(asked, chosen, found.curves, found.place, choice, away)

    def why(place: tuple[int, ...]) -> str:
        return scenario_words(asked, chosen.missed_together, place[0])

    table = pd.DataFrame(
        {
            "scenario": np.repeat(asked.scenarios, methods),
            "method": np.tile(METHODS, s),
            "model": names[found.place.model].ravel(),
            **columns,
            "score": np.stack([one.score for one in found.selections], -1).ravel(),
            "note": _notes(found.place.k, keeps, why),
        }
    )
    return _with_doubts(asked, chosen, table)


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
                **chances(chosen.missed.chance, (s, *place)),
            }
        )
        for s, (scenario, place) in enumerate(zip(asked.scenarios, chosen.joint.front, strict=True))
    ]
    return pd.concat(tables, ignore_index=True)


def _columns(
    asked: Question,
    chosen: Chosen,
    curves: Curves,
    place: Place,
    found: Choice,
    away: np.ndarray,
) -> dict[str, Any]:
    """What is known of choices [s, ...], in rows; away: their distance from utopia."""
    none = np.asarray(place.k) < 0
    scenario = np.indices(none.shape)[0]
    volume = cubes(chosen.options, points_of(curves), asked.limits)
    at = (scenario, *(np.maximum(each, 0) for each in place))
    columns = {
        "k": found.k,
        "parallel": found.parallel,
        "cost_usd": found.cost.mean,
        "time_s": found.time.mean,
        "accuracy": found.accuracy.mean,
        "feasible": ~none,
        "cost_sd": found.cost.sd,
        "time_sd": found.time.sd,
        "accuracy_sd": found.accuracy.sd,
        "cost_per_pass_usd": found.pass_cost,
        "time_per_pass_s": found.pass_time,
        "cost_slack_usd": found.slack.cost,
        "time_slack_s": found.slack.time,
        "accuracy_slack": found.slack.accuracy,
        "cube": np.where(none, np.nan, volume[at]),
        "utopia_distance": away,
    }
    means = {"cost_usd": found.cost, "time_s": found.time, "accuracy": found.accuracy}
    columns |= mean_intervals(curves, means)
    for name, values in chances(chosen.missed.chance, at).items():
        columns[name] = np.where(none, np.nan, values)
    return {name: np.asarray(values).ravel() for name, values in columns.items()}


def _with_doubts(asked: Question, chosen: Chosen, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of choices, of which `note` says too what their confidence intervals leave open."""
    open_ = doubts(asked, table, chosen.needed)
    return table.assign(
        note=[note or doubt for note, doubt in zip(table["note"], open_, strict=True)]
    )


def _notes(at: Any, keeps: np.ndarray, why: Callable[[tuple[int, ...]], str]) -> list[str]:
    """Empty where something was chosen, `at` [s, ...] not -1; otherwise why not, in rows.

    keeps: whether anything is feasible, broadcast. why: in words, for the place of a case where
    nothing is.
    """
    feasible = np.broadcast_to(keeps, np.shape(at))
    return [
        "" if index >= 0 else NO_KNEE if feasible[place] else why(place)
        for place, index in np.ndenumerate(at)
    ]
