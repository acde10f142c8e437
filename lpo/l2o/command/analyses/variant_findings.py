"""What variants of a network came to: a table, pictures, and which of them won."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lpo.l2o.command.config import L2oConfig
from lpo.l2o.command.tables import goal_of, least_is_zero, power
from lpo.l2o.command.world import World
from lpo.runs import Findings, Picture, ResultTable
from lpo.runs.lines import Lines
from lpo.runs.pictures import bar_picture, line_picture

_OF_VARIANT = ["variant", "seeds", "steps", "training_s"]
_SHOWN = ("gap_mean", "value_mean", "success", "evaluations_to_target")
"""Ends of the names of columns that are metrics."""
_SAME = (
    "Variants share all other settings, by default those of the family's recipe, which were found "
    "with the default variant; nothing is chosen by this table."
)


def findings(
    cfg: L2oConfig, world: World, found: pd.DataFrame, title: str, notes: Sequence[str] = ()
) -> Findings:
    """Return tables, pictures and notes of what `lpo.l2o.command.analyses.variants.measure` found.

    One row a variant at the most levels of a sample that a family has, `own_levels`, is the table
    `variants`; all numbers of levels are in `samples`.
    """
    table, measure = variant_table(cfg, found), measure_of(world)
    rows = at_own_levels(cfg, found)
    polished = f"polished_{measure}"
    said = [
        which_wins(rows.loc[rows["samples"] == count], measure, _words(count))
        for count in _counts(cfg)
    ]
    if polished in rows:
        said += _after_polish(cfg, rows, polished)
    least: Any = rows.loc[rows.loc[rows["samples"] == cfg.samples.count, measure].idxmin()]
    what = "mean objective" if measure == "value_mean" else "mean gap"
    pictures = {"variants": _bars(cfg, rows, measure, title)}
    if polished in rows:
        pictures["polished"] = _bars(cfg, rows, polished, f"{title}: after the polish")
    if len(found["levels"].unique()) > 1:
        best = found.loc[found["samples"] == cfg.samples.count]
        pictures["levels"] = _lines(best, measure, title)
    columns = ["variant", "samples", measure, f"{measure}_low", f"{measure}_high", "success"]
    columns += ["evaluations_to_target", "reached", polished, "training_s"]
    shown: Any = rows[[name for name in columns if name in rows]].dropna(axis=1, how="all")
    return Findings(
        result=(
            f"{title}: least {what} of {_words(cfg.samples.count)} with {least['variant']}, "
            f"{least[measure]:.3g} [{least[f'{measure}_low']:.3g}, {least[f'{measure}_high']:.3g}]"
        ),
        metrics={
            f"{name}/{row['variant']}": None if pd.isna(row[name]) else float(row[name])
            for row in table.to_dict("records")
            for name in table
            if name == "training_s" or name.endswith(_SHOWN)
        },
        tables={
            "variants": ResultTable(
                title,
                f"Samples of {own_levels(cfg)} levels; one_: of one sample, best_: of the best of "
                f"{cfg.samples.count}. gap: (f - f*) / max(|f*|, {world.scale:.3g}), means over "
                f"{cfg.tests} test problems, low and high the ends of a {interval_words(cfg)}. "
                f"success: share below {cfg.success}, where the least is 0. evaluations_to_target: "
                f"median gradients to {_goal(cfg, world)}, with the polish after samples, empty "
                "where half of the problems never reach it; reached: share that does; polished_: "
                "what it ends with. training_s: seconds of training, all seeds side by side.",
                table,
            ),
            "samples": ResultTable(
                "By levels and samples", "All numbers of levels of a sample.", found
            ),
        },
        pictures=pictures,
        shown=[(title, shown)],
        notes=[
            *said,
            *_with_other_levels(cfg, found, measure),
            *notes,
            _SAME,
            f"Intervals: {interval_words(cfg)}.",
        ],
    )


def own_levels(cfg: L2oConfig) -> int:
    """Return the most levels of a sample that the configuration has."""
    assert cfg.samples.levels is not None
    return max(cfg.samples.levels)


def at_own_levels(cfg: L2oConfig, found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `measure` at `own_levels`."""
    return found.loc[found["levels"] == own_levels(cfg)]


def variant_table(cfg: L2oConfig, found: pd.DataFrame) -> pd.DataFrame:
    """Return one row a variant: columns `one_...` of one sample, `best_...` of the best of all."""
    rows = at_own_levels(cfg, found)
    parts = [rows.loc[rows["samples"] == 1, _OF_VARIANT].set_index("variant")]
    for prefix, count in zip(("one", "best"), _counts(cfg), strict=False):
        part = rows.loc[rows["samples"] == count].set_index("variant")
        part = part.drop(columns=[*_OF_VARIANT[1:], "levels", "samples"])
        parts.append(part.add_prefix(f"{prefix}_"))
    return pd.concat(parts, axis=1).reset_index()


def measure_of(world: World) -> str:
    """Return the column that decides: the mean objective where the least is 0, else the gap."""
    return "value_mean" if least_is_zero(world) else "gap_mean"


def which_wins(rows: pd.DataFrame, measure: str, words: str, named: str = "variant") -> str:
    """Say which row has the least mean and from which others its interval is separate.

    rows: one a variant. measure: column with `_low` and `_high` beside it. words: what is measured.
    """
    best: Any = rows.loc[rows[measure].idxmin()]
    others = rows.drop(index=best.name)
    apart = others[f"{measure}_low"] > best[f"{measure}_high"]
    separate, not_separate = (
        ", ".join(others.loc[mask, named].astype(str)) for mask in (apart, ~apart)
    )
    what = "objective" if measure.endswith("value_mean") else "gap"
    ends = f"[{best[f'{measure}_low']:.3g}, {best[f'{measure}_high']:.3g}]"
    found = f"{words}: least mean {what} with {best[named]}, {best[measure]:.3g} {ends}"
    found = f"{found[0].upper()}{found[1:]}"
    if not len(others):
        return f"{found}."
    if not not_separate:
        return f"{found}; the intervals of all others lie above."
    if not separate:
        return f"{found}; no other interval lies above it as a whole: nothing is decided."
    return f"{found}; the intervals of {separate} lie above, not those of {not_separate}."


def interval_words(cfg: L2oConfig) -> str:
    """Say what intervals are over."""
    if cfg.seeds > 1:
        return f"95 % t-interval over {cfg.seeds} seeds of training"
    return "95 % t-interval over test problems; one network, another seed may differ by more"


def _after_polish(cfg: L2oConfig, rows: pd.DataFrame, polished: str) -> list[str]:
    """Which variants win then; differences below the target are those of rounding."""
    if bool((rows["polished_gap_mean"] <= cfg.target).all()):
        return [f"With the polish all mean gaps are below {power(cfg.target)}."]
    return [
        which_wins(rows.loc[rows["samples"] == count], polished, f"{_words(count)} and the polish")
        for count in _counts(cfg)
    ]


def _with_other_levels(cfg: L2oConfig, found: pd.DataFrame, measure: str) -> list[str]:
    """Which variants are best there; nothing to say where samples have one number of levels."""
    rows = found.loc[(found["samples"] == 1) & (found["levels"] != own_levels(cfg))]
    if not len(rows):
        return []
    best = rows.loc[rows.groupby("levels")[measure].idxmin()]
    each = [f"{row['levels']}: {row['variant']}" for row in best.to_dict("records")]
    return [f"The least mean of one sample with other numbers of levels, {', '.join(each)}."]


def _counts(cfg: L2oConfig) -> list[int]:
    return sorted({1, cfg.samples.count})


def _words(count: int) -> str:
    return "one sample" if count == 1 else f"the best of {count} samples"


def _goal(cfg: L2oConfig, world: World) -> str:
    goal = goal_of(cfg, world)
    return f"an objective below {goal:g}" if least_is_zero(world) else f"a gap of {power(goal)}"


def _label(measure: str) -> str:
    return "objective, mean" if measure.endswith("value_mean") else "relative gap, mean"


def _bars(cfg: L2oConfig, rows: pd.DataFrame, measure: str, title: str) -> Picture:
    spread = rows.assign(half=rows[f"{measure}_high"] - rows[measure])
    parts, spreads = [], {}
    for count in _counts(cfg):
        words, half = _words(count), f"half_{count}"
        own = spread.loc[spread["samples"] == count].set_index("variant")[[measure, "half"]]
        parts.append(own.set_axis([words, half], axis=1))
        spreads[words] = half
    return bar_picture(
        title,
        "Over test problems, with 95 % intervals.",
        pd.concat(parts, axis=1).reset_index(),
        "variant",
        list(spreads),
        _label(measure),
        spreads=spreads,
    )


def _lines(rows: pd.DataFrame, measure: str, title: str) -> Picture:
    return line_picture(
        f"{title}: by levels",
        "Of the best of all samples; the gradients of all of them together.",
        rows,
        [Lines("More levels", "evaluations", measure, "variant", log=(True, True))],
        {"evaluations": "gradients taken", measure: _label(measure), "variant": "variant"},
    )
