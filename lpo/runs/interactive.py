"""The pictures of `lpo.runs.figures` as plotly figures (needs `pip install lpo[report]`)."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from lpo.runs.statistics import BANDS, curves, interval_means, mean_interval, wide_range
from lpo.runs.style import BASELINE, PALETTE, colours

SHOWN_WINDOWS = 20
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star")


def training_curves(metrics: pd.DataFrame) -> go.Figure:
    """One panel a metric, one line a stage (median over seeds); a click on a stage hides it."""
    names = list(dict.fromkeys(metrics["name"]))
    colour = colours(list(dict.fromkeys(metrics["stage"])))
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = make_subplots(rows, columns, subplot_titles=[name.replace("_", " ") for name in names])
    shown: set[str] = set()
    for i, name in enumerate(names):
        row, column = i // columns + 1, i % columns + 1
        for curve in curves(metrics, name):
            line = go.Scatter(
                x=curve.step,
                y=curve.median,
                name=curve.stage,
                legendgroup=curve.stage,
                showlegend=curve.stage not in shown,
                mode="lines" if curve.step.size > 1 else "markers",
                line={"color": colour[curve.stage], "width": 1.5},
            )
            figure.add_trace(line, row=row, col=column)
            shown.add(curve.stage)
        values = metrics.loc[metrics["name"] == name, "value"].to_numpy()
        figure.update_yaxes(type="log" if wide_range(values) else "linear", row=row, col=column)
        figure.update_xaxes(title_text="step", row=row, col=column)
    return _clean(figure, height=260 * rows + 80)


def windows(real: np.ndarray, sampled: np.ndarray, worst: np.ndarray, bin_s: float) -> go.Figure:
    """Real, sampled and worst-case demand, [n, window] in tokens per bin of `bin_s` seconds."""
    sides = {"real": real, "sampled": sampled, "worst case": worst}
    titles = [f"{title} ({len(demand)} windows)" for title, demand in sides.items()]
    figure = make_subplots(1, 3, shared_yaxes=True, subplot_titles=titles)
    for column, (demand, colour) in enumerate(zip(sides.values(), PALETTE, strict=False), 1):
        minutes = np.arange(demand.shape[1]) * bin_s / 60
        for low, high in BANDS:
            lower, upper = np.quantile(demand, (low, high), axis=0)
            band = go.Scatter(
                x=np.concatenate([minutes, minutes[::-1]]),
                y=np.concatenate([lower, upper[::-1]]),
                fill="toself",
                fillcolor=colour,
                opacity=0.2,
                mode="none",
                hoverinfo="skip",
            )
            figure.add_trace(band, row=1, col=column)
        shown = np.linspace(0, len(demand) - 1, min(SHOWN_WINDOWS, len(demand))).astype(int)
        for i in shown:
            line = go.Scatter(
                x=minutes, y=demand[i], name=f"window {i}", line={"color": "black", "width": 0.5}
            )
            figure.add_trace(line.update(opacity=0.4), row=1, col=column)
        median = go.Scatter(
            x=minutes,
            y=np.median(demand, axis=0),
            name="median",
            line={"color": colour, "width": 3},
        )
        figure.add_trace(median, row=1, col=column)
    figure.update_xaxes(title_text="time in the window, minutes")
    figure.update_yaxes(title_text=f"demand, tokens per {bin_s:g} s", rangemode="tozero", col=1)
    return _clean(figure, height=400).update_layout(showlegend=False)


def score_by_set(
    table: pd.DataFrame,
    score: str,
    label: str,
    *,
    baselines: Sequence[str] = (),
    highlight: str | None = None,
) -> go.Figure:
    """One row a test set, one marker a method, 95 % t-intervals over seeds; see `figures`."""
    summary = mean_interval(table.dropna(subset=[score]), ["method", "test_set"], score)
    sets = list(dict.fromkeys(summary["test_set"]))
    methods = list(dict.fromkeys(summary["method"]))
    colour = colours([method for method in methods if method not in baselines])
    figure = go.Figure()
    for i, method in enumerate(methods):
        rows = summary[summary["method"] == method]
        offset = 0.5 * (i / max(len(methods) - 1, 1) - 0.5)
        dots = go.Scatter(
            x=rows["mean"],
            y=[sets.index(name) + offset for name in rows["test_set"]],
            error_x={"array": rows["half"], "thickness": 1.2, "width": 0},
            mode="markers",
            name=method,
            marker={
                "color": colour.get(method, BASELINE),
                "symbol": SYMBOLS[i % len(SYMBOLS)] + ("-open" if method in baselines else ""),
                "size": 13 if method == highlight else 8,
            },
            customdata=rows[["test_set", "half", "n"]],
            hovertemplate=f"<b>{method}</b> on %{{customdata[0]}}<br>"
            "%{x:.4g} ± %{customdata[1]:.2g} (%{customdata[2]} seeds)<extra></extra>",
        )
        figure.add_trace(dots)
    figure.update_xaxes(
        title_text=label, type="log" if wide_range(summary["mean"].to_numpy()) else "linear"
    )
    figure.update_yaxes(
        tickvals=list(range(len(sets))), ticktext=sets, autorange="reversed", zeroline=False
    )
    return _clean(figure, height=140 + 55 * len(sets))


def intervals(table: pd.DataFrame, rows: str, groups: str, value: str, label: str) -> go.Figure:
    """Dots with intervals, one line a value of `rows`, one marker a value of `groups`."""
    means = interval_means(table, rows, groups, value)
    lines, marks = (list(dict.fromkeys(means[column])) for column in (rows, groups))
    figure = go.Figure()
    for i, mark in enumerate(marks):
        of = means.loc[means[groups] == mark]
        mid, low, high = (of[column].to_numpy() for column in (value, "low", "high"))
        offset = 0.5 * (i / max(len(marks) - 1, 1) - 0.5)
        dots = go.Scatter(
            x=mid,
            y=[lines.index(name) + offset for name in of[rows]],
            error_x={"array": high - mid, "arrayminus": mid - low, "thickness": 1.2, "width": 0},
            mode="markers",
            name=mark,
            marker={"color": PALETTE[i % len(PALETTE)], "symbol": SYMBOLS[i % len(SYMBOLS)]},
            customdata=np.column_stack([of[rows], low, high]),
            hovertemplate=f"<b>%{{customdata[0]}}</b>, {mark}<br>"
            "%{x:.4g} [%{customdata[1]:.4g}, %{customdata[2]:.4g}]<extra></extra>",
        )
        figure.add_trace(dots)
    figure.update_xaxes(title_text=label)
    figure.update_yaxes(
        tickvals=list(range(len(lines))), ticktext=lines, autorange="reversed", zeroline=False
    )
    return _clean(figure, height=160 + 34 * len(lines))


def schedule(table: pd.DataFrame, replicas: Sequence[str], bin_s: float) -> go.Figure:
    """Demand, forecast and capacity above, replicas of every configuration in use below."""
    hours = table["slot"].to_numpy() * bin_s / 3600
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.6, 0.4])
    above = {"capacity": PALETTE[0], "demand": "black", "forecast": PALETTE[1]}
    for name, colour in above.items():
        line = {"color": colour, "width": 1, "shape": "hv" if name == "capacity" else "linear"}
        figure.add_trace(
            go.Scatter(x=hours, y=table[f"{name}_tokens"], name=name, line=line), row=1, col=1
        )
    for name in replicas:
        if table[name].to_numpy().any():
            area = go.Scatter(
                x=hours,
                y=table[name],
                name=name.removeprefix("replicas "),
                stackgroup="replicas",
                line={"shape": "hv", "width": 0.5},
            )
            figure.add_trace(area, row=2, col=1)
    figure.update_xaxes(title_text="time, hours", row=2)
    figure.update_yaxes(title_text=f"tokens per {bin_s:g} s", rangemode="tozero", row=1)
    figure.update_yaxes(title_text="replicas", row=2)
    return _clean(figure, height=560)


def _clean(figure: go.Figure, height: int) -> go.Figure:
    figure.update_xaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    figure.update_yaxes(gridcolor="#eeeeee", showline=True, linecolor="#999999")
    margin = {"l": 60, "r": 20, "t": 50, "b": 50}
    return figure.update_layout(template="plotly_white", height=height, margin=margin)
