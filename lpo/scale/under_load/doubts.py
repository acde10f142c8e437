"""What times under load do not say."""

from collections.abc import Sequence

import numpy as np

from lpo.scale.under_load.simulation import UnderLoad

NEAR = 0.9
"""Load from which a cluster takes several times as long as a pass to fill up."""
_GROW = "times grow with the length of the run"


def notes(found: UnderLoad, names: Sequence[str] | None = None) -> list[str]:
    """Return which times are not to be trusted, and why; one sentence for all of which it says the
    same. names [m]: of the models."""
    load = np.broadcast_to(found.load[:, None], found.steady.shape)
    full, close = load >= 1.0, found.steady & (load >= NEAR)
    given = names or [f"Model {model}" for model in range(len(load))]
    return [
        *_said(found, given, full, f"above 1; {_GROW}."),
        *_said(
            found,
            given,
            ~found.steady & ~full,
            f"below 1, and yet passes pile up, or are lost; {_GROW}.",
        ),
        *_said(
            found,
            given,
            close,
            "near 1, where a cluster takes long to fill up; a longer run may show longer times.",
        ),
    ]


def _said(found: UnderLoad, names: Sequence[str], where: np.ndarray, why: str) -> list[str]:
    """Sentences about cases [m, p, K]: models of which the same is true are named together."""
    models: dict[str, list[str]] = {}
    for name, load, cases in zip(names, found.load, where, strict=True):
        slots: dict[tuple[int, ...], list[int]] = {}
        for slot, case in zip(found.parallel.tolist(), cases, strict=True):
            slots.setdefault(tuple(np.flatnonzero(case).tolist()), []).append(slot)
        for at, on in slots.items():
            if at:
                counts = ", ".join(f"{k}" for k in found.k[list(at)])
                loads = ", ".join(f"{each:.3g}" for each in load[list(at)])
                many = "s" if len(at) > 1 else ""
                words = f"k = {counts} on {', '.join(map(str, on))} slots: load{many} of {loads}"
                models.setdefault(words, []).append(name)
    return [f"{', '.join(each)}, {words}, {why}" for words, each in models.items()]
