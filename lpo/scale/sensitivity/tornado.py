"""The choices made again with one number lower and higher at a time. docs/scale.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.scale.curves import Limits
from lpo.scale.exact import exact_curves
from lpo.scale.laws import LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.select import Options, with_slots
from lpo.scale.sensitivity.chosen import (
    Chosen,
    chosen_among_all,
    chosen_for_each,
    stacked,
)
from lpo.scale.sensitivity.parameters import LIMITS
from lpo.scale.sensitivity.perturbed import Inputs, perturbed


class Moves(NamedTuple):
    """base: what is chosen without a change, `Chosen` of [...]. moved: with a parameter lower and
    higher, [n, 2, ...]. elasticity [n, ...]: of the chosen k, as `arc_elasticity`."""

    base: Chosen
    moved: Chosen
    elasticity: np.ndarray


class Tornado(NamedTuple):
    """Of n parameters, one changed at a time.

    names: as of `Perturbed`. given [n, s, m], changed [n, 2, s, m]: their values, the lower ones
    first; a range may have stopped them. each: choices of every model, [s, m, p, 5]. among_all:
    choices over all models and slots together, [s, 5].
    """

    names: tuple[str, ...]
    given: np.ndarray
    changed: np.ndarray
    each: Moves
    among_all: Moves


def tornado(
    options: Options,
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    k: Any,
    parallel: Any,
    limits: Limits,
    allowed: Any,
    change: float = 0.1,
    *,
    pairs: Pairs | None = None,
    model: int | None = None,
    slot_price: float = 0.0,
) -> Tornado:
    """Return what each method chooses with every parameter x (1 - change) and x (1 + change).

    One at a time, all others as they are (Eschenbach, "Spiderplots versus tornado diagrams for
    sensitivity analysis", 1992), on exact curves and limits kept in the mean. Parameters stay in
    their ranges, as `perturbed` says. Every case is a call of the same compiled programs.

    **Arguments:**

    - `models`: leaves [m]. `k` [K], `parallel` [p]: as `exact_curves`. `limits`: [s].
    - `allowed`: bool [p, K]. `slot_price`: part of every cost, as `with_slots`.
    - `model`: the one whose numbers change, by its place; None: those of all models together, with
      which each model's own choice is the same as with its own alone.

    **Raises:** InputError as `perturbed` and `exact_curves`.
    """
    cases = perturbed(laws, Inputs(models, numbers, limits), change, pairs=pairs, model=model)
    start = exact_curves(laws, numbers, models, k, parallel, pairs)

    def choose(name: str, one: Inputs) -> tuple[Chosen, Chosen]:
        curves = start
        if name not in LIMITS:
            curves = exact_curves(laws, one.numbers, one.models, k, parallel, pairs)
        curves = with_slots(curves, slot_price)
        each = chosen_for_each(options, curves, one.limits, allowed)
        return each, chosen_among_all(options, curves, one.limits, allowed)

    base = choose(LIMITS[0], cases.inputs)
    sides = [
        [choose(name, one) for one in pair]
        for name, *pair in zip(cases.names, cases.low, cases.high, strict=True)
    ]
    moved = [stacked([stacked([side[i] for side in pair]) for pair in sides]) for i in (0, 1)]
    parameter = cases.changed[..., None, None]
    of_all = cases.changed[..., slice(None) if model is None else [model]].mean(-1, keepdims=True)
    return Tornado(
        cases.names,
        cases.given,
        cases.changed,
        Moves(base[0], moved[0], arc_elasticity(moved[0].k, parameter)),
        Moves(base[1], moved[1], arc_elasticity(moved[1].k, of_all)),
    )


def arc_elasticity(k: np.ndarray, parameter: np.ndarray) -> np.ndarray:
    """Return the relative change of k over that of a parameter, [n, ...] of both sides [n, 2, ...].

    Each relative to the middle between the sides (Allen and Lerner, "The concept of arc elasticity
    of demand", 1934). NaN where a side has no choice (k = -1) or the parameter did not move.
    """

    def relative(sides: np.ndarray) -> np.ndarray:
        low, high = sides[:, 0], sides[:, 1]
        return (high - low) / np.where(high + low == 0.0, np.nan, 0.5 * (high + low))

    passes = np.where((k < 0).any(1, keepdims=True), np.nan, k)
    step = relative(parameter)
    return relative(passes) / np.where(step == 0.0, np.nan, step)
