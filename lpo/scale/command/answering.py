"""The answer to a question: curves, choices, tables and pictures."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.runs import Findings, ResultTable
from lpo.scale.command.choosing import (
    METHODS,
    Chosen,
    choose,
    front_table,
    joint_table,
    selection_table,
)
from lpo.scale.command.config import ScaleConfig
from lpo.scale.command.doubts import same_draws
from lpo.scale.command.question import Question
from lpo.scale.command.reasons import NOTHING, scenario_words
from lpo.scale.command.resampling import resampled_table, resampled_words
from lpo.scale.command.sweeping import sweep
from lpo.scale.command.tables import LEVEL, curve_table
from lpo.scale.command.words import passes, slots
from lpo.scale.select import with_slots

_SHOWN = {
    "scenario": "scenario",
    "method": "method",
    "model": "model",
    "k": "k",
    "parallel": "P",
    "accuracy": "accuracy",
    "accuracy_sd": "+-",
    "chance": "chance",
    "cost_usd": "cost, $",
    "time_s": "time, s",
    "cost_per_pass_usd": "$ / k",
    "time_per_pass_s": "s / k",
    "cube": "cube",
}
"""Columns on the terminal, and what they are called there; those that the table has."""
_INTERVALS = (
    f" _mean_low, _mean_high: confidence interval at {100 * LEVEL:g} % of a mean over simulated "
    "queries, at that k."
)
_PRICED = " cost_usd holds the price of slots (slot_price)."
_CHANCES = (
    " chance: the share of simulated queries that keep all limits; chance_low, chance_high: its "
    f"Wilson interval at {100 * LEVEL:g} %."
)


def answer(cfg: ScaleConfig, asked: Question) -> Findings:
    """Sweep, choose, and say what came out."""
    swept = sweep(cfg, asked)
    curves = with_slots(swept.curves, cfg.slot_price)
    chosen = choose(cfg, asked, curves)
    # Matplotlib has been loaded meanwhile, by `prepare_report`
    from lpo.scale.command.pictures import box_of_limits, curves_of_all, curves_of_one

    selections = selection_table(asked, curves, chosen)
    together = joint_table(asked, chosen)
    first = _first_model(chosen)
    priced = _PRICED if cfg.slot_price else ""
    tables = {
        "joint": ResultTable(
            "The choice among all models",
            "By each method, over models, passes and slots together. accuracy_sd, cost_sd, "
            "time_sd: of a single query. cube: the volume of the box between the choice and the "
            f"limits; utopia_distance: what utopia compares (axes={cfg.axes.name}).{priced} "
            f"k = -1: nothing is feasible, or no knee; note says why.{_more(together)}",
            together,
        ),
        "selections": ResultTable(
            "The choice for each model",
            "k = -1: nothing is feasible, or no knee; note says why. score: what the method "
            "compares. slack: what is left to the limits. hypervolume: of the feasible points."
            f"{priced}{_more(selections)}",
            selections,
        ),
        "front": ResultTable(
            "Efficient points",
            "Of all models, passes and slots that keep the limits: no other costs less, is faster "
            f"and better.{priced}",
            front_table(asked, chosen),
        ),
    }
    notes = [*swept.notes, *_notes(asked, chosen)]
    if cfg.slot_price:
        notes.append(f"cost_usd holds the price of slots, {cfg.slot_price:g} $ a slot and second.")
    if {"chance", "accuracy_mean_low"} & set(together):
        notes.append(same_draws(selections, together))
    if cfg.bootstrap:
        tables["bootstrap"] = resampled_table(cfg, asked, chosen)
        notes.append(resampled_words(cfg, tables["bootstrap"]))
    pictures = {
        "box": box_of_limits(asked, curves, chosen, first),
        "models": curves_of_all(asked, curves),
    }
    for s, scenario in enumerate(asked.scenarios):
        pictures[f"curves_{scenario}"] = curves_of_one(asked, curves, chosen, s, first)
    shown = pd.DataFrame({say: together[name] for name, say in _SHOWN.items() if name in together})
    return Findings(
        result=_result(asked, chosen, together),
        metrics=_metrics(asked, chosen, together),
        tables=tables,
        pictures=pictures,
        shown=[
            ("the choice among all models", shown),
            (f"passes by model and method; {NOTHING}", _passes(asked, selections)),
        ],
        notes=notes,
        frames={"curves": curve_table(asked, curves, chosen.feasible, chosen.missed.chance)},
    )


def _more(table: pd.DataFrame) -> str:
    """What a caption says of columns that not every table has."""
    words = {"accuracy_mean_low": _INTERVALS, "chance": _CHANCES}
    return "".join(said for name, said in words.items() if name in table)


def _first_model(chosen: Chosen) -> int:
    """The model whose pictures come first: that of the choice closest to utopia."""
    found = chosen.joint.place.model[:, METHODS.index("utopia")]
    kept = found[found >= 0]
    return int(kept[0]) if len(kept) else 0


def _passes(asked: Question, selections: pd.DataFrame) -> pd.DataFrame:
    """One row a scenario, model and number of slots, one column a method."""
    keys = ["scenario", "model", *(["parallel"] if len(asked.parallel) > 1 else [])]
    table = selections.pivot(index=keys, columns="method", values="k")
    order = selections[keys].drop_duplicates()
    return order.merge(table[list(METHODS)].reset_index(), on=keys)


def _result(asked: Question, chosen: Chosen, together: pd.DataFrame) -> str:
    """What is closest to utopia in the first scenario."""
    row: Any = together.iloc[METHODS.index("utopia")]
    name = asked.scenarios[0]
    if row.k < 0:
        return f"{name}: no model keeps the limits"
    return (
        f"{name}: closest to utopia is {row.model} with {passes(row.k)} on {slots(row.parallel)}: "
        f"accuracy {row.accuracy:.4g}, {row.cost_usd:.3g} $, {row.time_s:.3g} s"
    )


def _metrics(asked: Question, chosen: Chosen, together: pd.DataFrame) -> dict[str, float | None]:
    metrics: dict[str, float | None] = {}
    for s, scenario in enumerate(asked.scenarios):
        keeps = np.asarray(chosen.feasible[s].any(-1))
        metrics[f"hypervolume/{scenario}"] = float(chosen.joint.hypervolume[s])
        metrics[f"models_with_a_choice/{scenario}"] = float(keeps.any(-1).sum())
    for row in together.to_dict("records"):
        for name in ("k", "accuracy", "cost_usd", "time_s"):
            value = float(row[name]) if row["k"] > 0 else None
            metrics[f"{row['scenario']}/{row['method']}/{name}"] = value
    return metrics


def _notes(asked: Question, chosen: Chosen) -> list[str]:
    notes = []
    for s, scenario in enumerate(asked.scenarios):
        keeps = np.asarray(chosen.feasible[s].any((-1, -2)))
        without = [name for name, kept in zip(asked.models.names, keeps, strict=True) if not kept]
        if without:
            notes.append(f"{scenario}: nothing keeps the limits with {', '.join(without)}.")
        if not chosen.joint.feasible[s].any():
            why = scenario_words(asked, chosen.missed_together, s)
            notes.append(f"{scenario}: nothing is feasible; {why}.")
    return notes
