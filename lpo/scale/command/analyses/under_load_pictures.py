"""Pictures of queries on a cluster: time against k, and what accuracy a time buys."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lpo.runs import Picture
from lpo.runs.overlays import Look, Overlay, OverlayPanel, overlays
from lpo.scale.command.analyses.under_load_tables import UNDER, WITHOUT, Cases
from lpo.scale.command.drawing import LABELS
from lpo.scale.command.question import Question


def time_picture(asked: Question, cases: Cases, alike: Sequence[int]) -> Picture:
    """Time of a query against k, a panel a number of slots, with the k that fills all GPUs; of
    models that are `alike` in this."""
    found, model = cases.found, alike[0]
    full = float(found.k[0] / found.load[model, 0])  # the load is linear in k
    panels = []
    for p, slots in enumerate(asked.parallel):
        steady, measured = found.steady[model, p], cases.measured.mean[model, p]
        alone = cases.without.time.mean[model, p]
        layers = [Overlay(WITHOUT, asked.k, alone)]
        if steady.any():
            layers.append(Overlay(UNDER, asked.k, np.where(steady, measured, np.nan)))
        if not steady.all():
            far = Overlay("passes pile up", asked.k[~steady], measured[~steady], Look.POINTS)
            layers.append(far)
        if full <= 2.0 * asked.k.max():
            both = np.array([alone, measured])
            ends = np.array([both.min(), both.max()])
            layers.insert(0, Overlay("GPUs are full", np.full(2, full), ends, Look.DASHES))
        panels.append(_panel(slots_in_words(slots), "k", "time_s", layers, log=(True, True)))
    others = ", ".join(asked.titles[m] for m in alike[1:])
    return _picture(
        f"Time of a query, {asked.titles[model]}",
        f"GPUs are full at k = {full:.3g}. Where passes pile up, points are of a run of this "
        f"length, and grow with it.{f' The same of {others}.' if others else ''}",
        panels,
    )


def accuracy_picture(asked: Question, cases: Cases, model: int) -> Picture:
    """Accuracy against time, a point a number of passes, a panel a number of slots."""
    panels = []
    for p, slots in enumerate(asked.parallel):
        layers = []
        for name, curves in ((WITHOUT, cases.without), (UNDER, cases.under)):
            kept = np.isfinite(curves.time.mean[model, p])
            time, accuracy = curves.time.mean[model, p, kept], curves.accuracy.mean[model, p, kept]
            if kept.any():
                layers.append(Overlay(name, time, accuracy))
        panels.append(
            _panel(slots_in_words(slots), "time_s", "accuracy", layers, log=(True, False))
        )
    return _picture(
        f"What accuracy a time buys, {asked.titles[model]}",
        f"Points are k = {', '.join(map(str, asked.k))}, under load those at which the cluster is "
        "steady.",
        panels,
    )


def slots_in_words(slots: int) -> str:
    """Return how many slots, for titles."""
    return "1 slot" if slots == 1 else f"{slots} slots"


def _panel(title: str, x: str, y: str, layers: Sequence[Overlay], **options: Any) -> OverlayPanel:
    return OverlayPanel(title, LABELS[x], LABELS[y], layers, **options)


def _picture(title: str, caption: str, panels: Sequence[OverlayPanel]) -> Picture:
    def interactive() -> Any:
        from lpo.runs import interactive_overlays  # plotly is an extra

        return interactive_overlays.overlays(panels)

    return Picture(title, caption, overlays(panels), interactive)
