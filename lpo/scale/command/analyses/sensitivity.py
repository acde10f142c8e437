"""How the choice moves with every number: derivatives, one number at a time, other score laws."""

from typing import Any

import numpy as np
import pandas as pd

from lpo.errors import InputError
from lpo.runs import Findings, ResultTable
from lpo.runs.numbers_given import Allowed, numbers_or
from lpo.runs.pictures import bar_picture
from lpo.scale.accuracy import check_beta
from lpo.scale.command.choosing import METHODS
from lpo.scale.command.config import FeasibilityKind, MethodKind, ScaleConfig
from lpo.scale.command.question import Question
from lpo.scale.command.refusing import refuse_others
from lpo.scale.exact import exact_curves
from lpo.scale.laws import AccuracyLaw
from lpo.scale.select import allowed_grid, make_options
from lpo.scale.sensitivity import Tornado, score_laws, slopes, tornado

CHANGE: Allowed = (lambda share: 0 < share < 1, "one number in (0, 1)")
UTOPIA = METHODS.index("utopia")
ONLY = {
    "method": MethodKind.exact,
    "feasibility": FeasibilityKind.mean,
    "most_parallel": None,
    "bootstrap": 0,
}


def find(cfg: ScaleConfig, asked: Question) -> Findings:
    """Return what each number does to the choice among all models, and to that of each model.

    Raises InputError on settings other than `ONLY`, and on `analysis.values` that mean nothing.
    """
    refuse_others(cfg, ONLY, "in analysis sensitivity")
    given = numbers_or(cfg, {"change": CHANGE}, change=(0.1,))["change"]
    if len(given) != 1:
        raise InputError(f"analysis.values.change: {given} given; allowed: {CHANGE[1]}")
    change = given[0]
    options = make_options(scale=cfg.axes.name, cube=cfg.cube.name)
    allowed = allowed_grid(asked.k, asked.parallel, cfg.grid.name)
    models = asked.models.models
    moves = tornado(
        options,
        asked.laws,
        asked.numbers,
        models,
        asked.k,
        asked.parallel,
        asked.limits,
        allowed,
        change,
        pairs=asked.pairs,
        slot_price=cfg.slot_price,
    )
    together = _among_all(asked, moves, change)
    tables = {
        "tornado": ResultTable(
            "The choice with one number changed",
            f"Over all models, passes and slots, each number of all models {change:.0%} lower and "
            "higher. k_elasticity: relative change of k over that of the number, empty where the "
            "number could not move, and where an end takes another model (model_low, model_high), "
            "whose k is no change of this one's. A number stops at the end of its range."
            f"{' cost_usd holds the price of slots (slot_price).' if cfg.slot_price else ''}",
            together,
        ),
        "elasticities": ResultTable(
            "Elasticities at the choice closest to utopia",
            "Of each model's own k: by how many per cent mean cost, time and accuracy change with "
            "one per cent more of the number (derivatives by automatic differentiation)."
            f"{' Of the cost without the price of slots.' if cfg.slot_price else ''}",
            _elasticities(asked, moves),
        ),
    }
    swings = _swings(together)
    notes = _other_models(asked, swings)
    if not asked.laws.rule.votes:
        try:
            check_beta(asked.laws._replace(accuracy=AccuracyLaw.BETA), models, asked.models.names)
            tables["score_laws"] = _score_laws(cfg, asked, options, allowed)
        except InputError as error:  # nobody has asked for this law: the rest is worth having
            notes.append(f"The table score_laws is left out: {error}.")
    first = swings.loc[swings["scenario"] == asked.scenarios[0]]
    return Findings(
        result=_result(asked, swings, change),
        metrics={
            f"{row['scenario']}/{row['parameter']}/k_swing": None
            if np.isnan(row["swing"])
            else row["swing"]
            for row in swings.to_dict("records")
        },
        tables=tables,
        pictures={
            "swings": bar_picture(
                f"By how many passes of {first['model'].iloc[0]} a number moves the choice",
                f"Difference of k closest to utopia with the number {change:.0%} higher and lower; "
                f"{asked.scenarios[0]}. No bar where an end takes another model.",
                first.assign(
                    parameter=first["parameter"].where(
                        first["swing"].notna(), first["parameter"] + " (other model)"
                    )
                ),
                "parameter",
                ["swing"],
                "passes",
            )
        },
        shown=[("choice closest to utopia, number lower and higher", swings)],
        notes=notes,
    )


def _among_all(asked: Question, moves: Tornado, change: float) -> pd.DataFrame:
    """One row a parameter, side, scenario and method."""
    names = np.array([*asked.models.names, "–"])
    sides = [("as given", None), (f"-{change:.0%}", 0), (f"+{change:.0%}", 1)]
    rows: list[dict[str, Any]] = []
    for i, parameter in enumerate(moves.names):
        for s, scenario in enumerate(asked.scenarios):
            for j, method in enumerate(METHODS):
                ends = [int(found) for found in moves.among_all.moved.model[i, :, s, j]]
                own = int(moves.among_all.base.model[s, j])
                elasticity = float(moves.among_all.elasticity[i, s, j])
                for side, at in sides:
                    found = moves.among_all.base if at is None else moves.among_all.moved
                    place = (s, j) if at is None else (i, at, s, j)
                    rows.append(
                        {
                            "scenario": scenario,
                            "parameter": parameter,
                            "method": method,
                            "side": side,
                            "model": names[int(found.model[place])],
                            "k": int(found.k[place]),
                            "parallel": int(found.parallel[place]),
                            "cost_usd": float(found.cost[place]),
                            "time_s": float(found.time[place]),
                            "accuracy": float(found.accuracy[place]),
                            "model_low": names[ends[0]],
                            "model_high": names[ends[1]],
                            "k_elasticity": elasticity if ends == [own, own] else np.nan,
                        }
                    )
    return pd.DataFrame(rows)


def _swings(together: pd.DataFrame) -> pd.DataFrame:
    """Of the choice closest to utopia: k and model on both sides, the largest differences first.

    swing: of k, NaN (and last) where a side takes another model than the numbers as given.
    """
    own = together.loc[together["method"] == "utopia"]
    base, low, high = (
        own.loc[own["side"] == side].set_index(["scenario", "parameter"])
        for side in own["side"].unique()
    )
    same = (low["model"] == base["model"]) & (high["model"] == base["model"])
    table = pd.DataFrame(
        {
            "model": base["model"],
            "k": base["k"],
            "model_low": low["model"],
            "k_low": low["k"],
            "model_high": high["model"],
            "k_high": high["k"],
            "swing": (high["k"] - low["k"]).where(same),
        }
    )
    order = np.argsort(-np.abs(table["swing"].to_numpy(np.float64)), kind="stable")
    return table.iloc[order].reset_index()


def _other_models(asked: Question, swings: pd.DataFrame) -> list[str]:
    """By scenario, how many numbers change the model and not only its k."""
    notes = []
    for scenario in asked.scenarios:
        own = swings.loc[swings["scenario"] == scenario]
        changing = own.loc[(own[["model_low", "model_high"]].ne(own["model"], axis=0)).any(axis=1)]
        if len(changing):
            notes.append(
                f"{scenario}: {len(changing)} of {len(own)} numbers change the model of the choice "
                f"closest to utopia ({', '.join(changing['parameter'])}); they have no swing."
            )
    return notes


def _elasticities(asked: Question, moves: Tornado) -> pd.DataFrame:
    """One row a scenario, number of slots, model and parameter, at each model's own k."""
    tables = []
    for s, scenario in enumerate(asked.scenarios):
        for p, parallel in enumerate(asked.parallel):
            k = np.asarray(moves.each.base.k)[s, :, p, UTOPIA]
            kept = k >= 1
            found = slopes(
                asked.laws,
                asked.numbers,
                asked.models.models,
                np.where(kept, k, 1),
                int(parallel),
                asked.pairs,
            )
            for name in moves.names:
                columns = {
                    f"{of}_elasticity": np.where(
                        kept, _own(getattr(found.elasticities, of), name), np.nan
                    )
                    for of in ("cost", "time", "accuracy")
                }
                if all(np.isnan(values).all() for values in columns.values()):
                    continue  # a limit, on which means do not depend
                place = {"scenario": scenario, "parallel": int(parallel), "parameter": name}
                tables.append(
                    pd.DataFrame({**place, "model": asked.models.names, "k": k, **columns})
                )
    return pd.concat(tables, ignore_index=True)


def _own(slope: Any, name: str) -> np.ndarray:
    numbers = slope.models._asdict() | slope.numbers._asdict()
    values = numbers.get(name, np.nan)
    return np.asarray(values, np.float64)


def _score_laws(
    cfg: ScaleConfig, asked: Question, options: Any, allowed: np.ndarray
) -> ResultTable:
    """One row a law, scenario and method."""
    models = asked.models.models
    curves = exact_curves(
        asked.laws, asked.numbers, models, asked.k, asked.parallel, pairs=asked.pairs
    )
    found = score_laws(
        options,
        asked.laws,
        asked.numbers,
        models,
        curves,
        asked.limits,
        allowed,
        slot_price=cfg.slot_price,
    )
    names, chosen = np.array([*asked.models.names, "–"]), found.among_all
    rows = [
        {
            "law": str(law),
            "scenario": scenario,
            "method": method,
            "model": names[int(chosen.model[i, s, j])],
            "k": int(chosen.k[i, s, j]),
            "accuracy": float(chosen.accuracy[i, s, j]),
            "cost_usd": float(chosen.cost[i, s, j]),
            "time_s": float(chosen.time[i, s, j]),
        }
        for i, law in enumerate(found.laws)
        for s, scenario in enumerate(asked.scenarios)
        for j, method in enumerate(METHODS)
    ]
    return ResultTable(
        "The choice under other laws of a score",
        "The same two numbers of each model as a clipped normal, a truncated normal and a Beta "
        "distributed score: how far the best of k gets depends on the upper tail, an assumption.",
        pd.DataFrame(rows),
    )


def _result(asked: Question, swings: pd.DataFrame, change: float) -> str:
    own = swings.loc[swings["scenario"] == asked.scenarios[0]]
    first: Any = own.iloc[0]
    if np.isnan(first.swing):
        return f"{asked.scenarios[0]}: every number changes the model, or nothing is feasible"
    if first.swing == 0 and own["swing"].isna().any():
        return (
            f"{asked.scenarios[0]}: by {change:.0%}, numbers change the model of the choice "
            "closest to utopia, or leave its k as it is"
        )
    if first.swing == 0:
        return f"{asked.scenarios[0]}: no number moves the choice closest to utopia by {change:.0%}"
    return (
        f"{asked.scenarios[0]}: {first.parameter} moves the choice closest to utopia most, from "
        f"k = {first.k_low:g} ({change:.0%} lower) to {first.k_high:g} (higher)"
    )
