"""Levels, samples and samplers at their work: `+experiment=l2o_sampling`. docs/l2o.md."""

from typing import Any

import pandas as pd

from lpo.l2o.command.analyses.refusing import OF_OTHER_METHODS, refuse
from lpo.l2o.command.analyses.variant_findings import interval_words, measure_of, which_wins
from lpo.l2o.command.analyses.variants import Variant, changed, record, train
from lpo.l2o.command.building import denoiser_of, family_of
from lpo.l2o.command.competing import Entry, drawn_of
from lpo.l2o.command.config import L2oConfig, SamplerKind
from lpo.l2o.command.tables import summary_table
from lpo.l2o.command.world import World, make_world
from lpo.l2o.contest import first_of, trace_of
from lpo.l2o.denoisers.denoiser import Denoiser
from lpo.l2o.family import Family
from lpo.runs import Findings, Picture, ResultTable, RunFolder, progress
from lpo.runs.lines import Lines
from lpo.runs.numbers_given import WHOLE, numbers_or
from lpo.runs.pictures import line_picture

LEVELS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
COUNTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_UNUSED = {
    **OF_OTHER_METHODS,
    "samples": "other experiments (here analysis.values.levels, analysis.values.counts)",
    **dict.fromkeys(("polish", "target"), "other experiments (here samples alone)"),
}
_COLUMNS = [
    "sampler",
    "levels",
    "samples",
    "evaluations",
    "depth",
    "gap_mean",
    "gap_mean_low",
    "gap_mean_high",
    "value_mean",
    "value_mean_low",
    "value_mean_high",
    "success",
]


def find(cfg: L2oConfig, folder: RunFolder) -> Findings:
    """Train one network a seed, and draw from it with every sampler, number of levels and number of
    samples, `analysis.values.levels` and `counts`.

    Raises InputError on values that mean nothing and settings without effect, TrainingFailed where
    a number is not finite.
    """
    refuse(cfg, _UNUSED)
    given = numbers_or(cfg, {"levels": WHOLE, "counts": WHOLE}, levels=LEVELS, counts=COUNTS)
    levels, counts = (sorted({int(n) for n in given[name]}) for name in ("levels", "counts"))
    family = family_of(cfg)
    world, denoiser = make_world(cfg, family), denoiser_of(cfg, family)
    (trained,) = train(family, world, [Variant("denoiser", cfg, denoiser)])
    record(folder, world, [trained])
    parts = []
    with progress(len(SamplerKind) * len(levels), "samples", "row") as advance:
        for sampler in SamplerKind:
            own = changed(cfg, "samples", sampler=sampler)
            for number in levels:
                parts.append(_rows(own, family, world, denoiser, trained.params, number, counts))
                advance(1)
    found = pd.concat(parts, ignore_index=True)
    return _findings(cfg, family, world, found)


def _rows(
    cfg: L2oConfig,
    family: Family,
    world: World,
    denoiser: Denoiser,
    params: Any,
    levels: int,
    counts: list[int],
) -> pd.DataFrame:
    """One row a number of samples, the fewer being the first of the more."""
    drawn = drawn_of(cfg, family, world, denoiser, params, levels, max(counts))
    entries = [
        Entry(str(count), "sample", [trace_of(first_of(one, count)) for one in drawn], 0.0)
        for count in counts
    ]
    rows = summary_table(cfg, world, entries).assign(
        sampler=cfg.samples.sampler.name, levels=levels, samples=counts
    )
    return rows.loc[:, _COLUMNS]


def at_work(found: pd.DataFrame, work: list[int], measure: str) -> pd.DataFrame:
    """Return, by amount of work and sampler, the row of the least mean among those that take no
    more; samplers that have none are left out."""
    parts = []
    for most in sorted(work):
        within = found.loc[found["evaluations"] <= most]
        best = within.loc[within.groupby("sampler", sort=False)[measure].idxmin()]
        best.insert(0, "work", most)
        parts.append(best)
    return pd.concat(parts, ignore_index=True)


def _findings(cfg: L2oConfig, family: Family, world: World, found: pd.DataFrame) -> Findings:
    measure = measure_of(world)
    what = "mean objective" if measure == "value_mean" else "mean gap"
    assert cfg.work is not None
    budgets = at_work(found, list(cfg.work), measure)
    title = f"Levels, samples and samplers, {family.name}"
    other = "gap_mean" if measure == "value_mean" else "value_mean"
    shown = budgets.drop(columns=[name for name in budgets if name.startswith(other)])
    least = found.loc[found[measure].idxmin()]
    said = [
        which_wins(rows.assign(which=_which(rows)), measure, f"at most {most} gradients", "which")
        for most, rows in budgets.groupby("work")
        if len(rows) > 1
    ]
    return Findings(
        result=(
            f"{title}: least {what} {least[measure]:.3g}, {least['samples']} samples of "
            f"{least['levels']} levels, {least['sampler']}, {least['evaluations']} gradients"
        ),
        metrics={
            f"{measure}/{row['sampler']}_{row['levels']}_best{row['samples']}": float(row[measure])
            for row in found.to_dict("records")
        },
        tables={
            "sampling": ResultTable(
                title,
                "evaluations: gradients of all samples together; depth: those that had to wait for "
                "one another. gap, objective and success of the best sample, means over "
                f"{cfg.tests} test problems, low and high the ends of a {interval_words(cfg)}.",
                found,
            ),
            "budgets": ResultTable(
                "The best at each amount of work",
                "Of each sampler, among all numbers of levels and samples that take no more "
                "gradients than `work`. Picked by the numbers shown, so a little too good.",
                budgets,
            ),
        },
        pictures={"sampling": _picture(found, measure)},
        shown=[("the best at each amount of work", shown.dropna(axis=1, how="all"))],
        notes=[*said, "The tables measure; no setting was chosen by them."],
    )


def _which(rows: pd.DataFrame) -> list[str]:
    return [
        f"{row['sampler']} ({row['levels']} levels, {row['samples']} drawn)"
        for row in rows.to_dict("records")
    ]


def _picture(found: pd.DataFrame, measure: str) -> Picture:
    """A panel a sampler, a line a number of levels."""
    shown, panels = found.copy(), []
    for sampler in dict.fromkeys(found["sampler"]):
        shown[sampler] = shown[measure].where(shown["sampler"] == sampler)
        panels.append(Lines(sampler, "evaluations", sampler, "levels", log=(True, True)))
    label = "objective, mean" if measure == "value_mean" else "relative gap, mean"
    return line_picture(
        "Levels and samples by work",
        "The best of so many samples, a point for each number of them; the gradients of all of "
        "them together.",
        shown,
        panels,
        {
            "evaluations": "gradients taken",
            "levels": "levels",
            **{panel.y: label for panel in panels},
        },
    )
