"""The pictures of a run, drawn with matplotlib; `lpo.runs.interactive` does so with plotly."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lpo.runs.statistics import BANDS, curves, interval_means, mean_interval, wide_range
from lpo.runs.style import BASELINE, MARKERS, PALETTE, colours

SHOWN_WINDOWS = 4


def training_curves(metrics: pd.DataFrame) -> Figure:
    """One panel a metric, one line a stage: the median over seeds and the range around it.

    `metrics`: long form with the columns step, stage, name, value.
    """
    names = list(dict.fromkeys(metrics["name"]))
    colour = colours(list(dict.fromkeys(metrics["stage"])))
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        for curve in curves(metrics, name):
            line = {"color": colour[curve.stage], "label": curve.stage}
            if curve.step.size == 1:
                line |= {"marker": "o"}
            panel.plot(curve.step, curve.median, linewidth=1.4, **line)
            panel.fill_between(
                curve.step,
                curve.low,
                curve.high,
                color=colour[curve.stage],
                alpha=0.18,
                linewidth=0,
            )
        values = metrics.loc[metrics["name"] == name, "value"].to_numpy()
        panel.set_yscale("log" if wide_range(values) else "linear")
        panel.set(title=name.replace("_", " "), xlabel="step")
        _clean(panel)
    for panel in panels[len(names) :]:
        panel.set_axis_off()
    handles = {
        label: handle
        for panel in panels
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False
    )
    return figure


def windows(real: np.ndarray, sampled: np.ndarray, worst: np.ndarray, bin_s: float) -> Figure:
    """Real, sampled and worst-case demand side by side on one scale.

    Each panel: the median, the bands that hold 50 % and 90 % of the windows, and a few windows.

    **Arguments:**

    - `real`, `sampled`, `worst`: [n, window], tokens per bin.
    - `bin_s`: seconds of a bin.
    """
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    titles = ("real", "sampled", "worst case")
    for panel, title, demand, colour in zip(
        panels, titles, (real, sampled, worst), PALETTE, strict=False
    ):
        minutes = np.arange(demand.shape[1]) * bin_s / 60
        for (low, high), alpha in zip(BANDS, (0.15, 0.25), strict=True):
            lower, upper = np.quantile(demand, (low, high), axis=0)
            panel.fill_between(minutes, lower, upper, color=colour, alpha=alpha, linewidth=0)
        shown = np.linspace(0, len(demand) - 1, min(SHOWN_WINDOWS, len(demand))).astype(int)
        panel.plot(minutes, demand[shown].T, color="black", alpha=0.45, linewidth=0.7)
        panel.plot(minutes, np.median(demand, axis=0), color=colour, linewidth=2)
        panel.set(title=f"{title} ({len(demand)} windows)", xlabel="time in the window, minutes")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        _clean(panel)
    panels[0].set_ylabel(f"demand, tokens per {bin_s:g} s")
    panels[0].set_ylim(bottom=0)
    return figure


def score_by_set(
    table: pd.DataFrame,
    score: str,
    label: str,
    *,
    baselines: Sequence[str] = (),
    highlight: str | None = None,
) -> Figure:
    """Dots: one row a test set, one marker a method; bars are 95 % t-intervals over seeds.

    **Arguments:**

    - `table`: columns method, test_set, seed and `score`.
    - `label`: the score in words with its unit; the axis label.
    - `baselines`: methods drawn in grey.
    - `highlight`: the method drawn largest.
    """
    summary = mean_interval(table.dropna(subset=[score]), ["method", "test_set"], score)
    sets = list(dict.fromkeys(summary["test_set"]))
    methods = list(dict.fromkeys(summary["method"]))
    colour = colours([method for method in methods if method not in baselines])
    figure = Figure(figsize=(9.5, 1.4 + 0.5 * len(sets)), layout="constrained")
    panel = figure.subplots()
    for i, method in enumerate(methods):
        rows = summary[summary["method"] == method]
        offset = 0.5 * (i / max(len(methods) - 1, 1) - 0.5)  # overlapping dots stay apart
        panel.errorbar(
            rows["mean"],
            [sets.index(name) + offset for name in rows["test_set"]],
            xerr=rows["half"],
            fmt=MARKERS[i % len(MARKERS)],
            markersize=9 if method == highlight else 5.5,
            color=colour.get(method, BASELINE),
            markerfacecolor=colour.get(method, "white"),
            elinewidth=1.2,
            zorder=4 if method == highlight else 3 - (method in baselines),
            label=method,
        )
    if wide_range(summary["mean"].to_numpy()):
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_yticks(range(len(sets)), sets)
    panel.invert_yaxis()
    panel.set_xlabel(label)
    _clean(panel)
    for row in range(1, len(sets)):
        panel.axhline(row - 0.5, color="0.9", linewidth=0.8, zorder=0)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def intervals(table: pd.DataFrame, rows: str, groups: str, value: str, label: str) -> Figure:
    """Dots with intervals: one line a value of column `rows`, one marker a value of `groups`.

    `table`: the columns `rows`, `groups`, `value` and the ends `<prefix>_low`, `<prefix>_high` of
    its interval, prefix the first word of `value`; means where a pair occurs more than once.
    """
    means = interval_means(table, rows, groups, value)
    lines, marks = (list(dict.fromkeys(means[column])) for column in (rows, groups))
    colour = colours(marks)
    figure = Figure(figsize=(9.5, 1.4 + 0.42 * len(lines)), layout="constrained")
    panel = figure.subplots()
    for i, mark in enumerate(marks):
        of = means.loc[means[groups] == mark]
        mid = of[value].to_numpy()
        offset = 0.5 * (i / max(len(marks) - 1, 1) - 0.5)
        panel.errorbar(
            mid,
            [lines.index(name) + offset for name in of[rows]],
            xerr=np.nan_to_num([mid - of["low"].to_numpy(), of["high"].to_numpy() - mid]).clip(0),
            fmt=MARKERS[i % len(MARKERS)],
            color=colour[mark],
            markersize=5.5,
            elinewidth=1.2,
            label=mark,
        )
    panel.set_yticks(range(len(lines)), lines)
    panel.invert_yaxis()
    panel.set_xlabel(label)
    _clean(panel)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def schedule(table: pd.DataFrame, replicas: Sequence[str], bin_s: float) -> Figure:
    """Demand, forecast and capacity above, replicas of every configuration in use below.

    `table`: the columns slot, demand_tokens, forecast_tokens, capacity_tokens and `replicas`; a
    slot is `bin_s` seconds.
    """
    hours = table["slot"].to_numpy() * bin_s / 3600
    figure = Figure(figsize=(10.5, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.step(hours, table["capacity_tokens"], where="post", color=PALETTE[0], label="capacity")
    above.plot(hours, table["demand_tokens"], color="black", linewidth=0.8, label="demand")
    above.plot(hours, table["forecast_tokens"], color=PALETTE[1], linewidth=0.8, label="forecast")
    above.set_ylabel(f"tokens per {bin_s:g} s")
    above.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    used = [name for name in replicas if table[name].to_numpy().any()]
    below.stackplot(
        hours,
        [table[name].to_numpy() for name in used],
        labels=[name.removeprefix("replicas ") for name in used],
        colors=[PALETTE[i % len(PALETTE)] for i in range(len(used))],
        step="post",
        alpha=0.8,
    )
    below.set(xlabel="time, hours", ylabel="replicas")
    for panel in (above, below):
        panel.set_ylim(bottom=0)
        panel.legend(frameon=False, fontsize="small", ncols=3, loc="upper right")
        _clean(panel)
    return figure


def _clean(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="both", color="0.93", linewidth=0.8)
    panel.set_axisbelow(True)
