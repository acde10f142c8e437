"""The choices made again with one number lower and higher at a time. docs/scale.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.scale.curves import Curves, Limits
from lpo.scale.exact import exact_curves
from lpo.scale.laws import LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.select import Options
from lpo.scale.sensitivity.chosen import (
    Chosen,
    chosen_among_all,
    chosen_for_each,
    stacked,
)
from lpo.scale.sensitivity.perturbed import Inputs, perturbed


class Tornado(NamedTuple):
    """Of n parameters, one changed at a time.

    names: as of `Perturbed`. given [n, s, m], changed [n, 2, s, m]: their values, low first, where
    a range may have stopped them. base: what is chosen without a change, [s, m, p, 5]. moved: with
    it, [n, 2, s, m, p, 5]. elasticity [n, s, m, p, 5]: of the chosen k. base_joint, moved_joint,
    elasticity_joint: the same of the choice among all models, without the axes m and p; the
    elasticity is to the mean change of the models' parameters.
    """

    names: tuple[str, ...]
    given: np.ndarray
    changed: np.ndarray
    base: Chosen
    moved: Chosen
    elasticity: np.ndarray
    base_joint: Chosen
    moved_joint: Chosen
    elasticity_joint: np.ndarray


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
    sensitivity analysis", 1992), on exact curves and limits kept in the mean. Every case is a call
    of the same compiled programs.

    **Arguments:**

    - `models`: leaves [m]. `k` [K], `parallel` [p]: as `exact_curves`. `limits`: [s].
    - `allowed`: bool [p, K]. `slot_price`: of the choice among all models, as `joint`.
    - `model`: the only one whose numbers change; None: those of all models together, by which each
      model's own choice is the same.

    **Raises:** InputError as `perturbed` and `exact_curves`.
    """
    given = Inputs(models, numbers, limits)
    cases = perturbed(laws, given, change, pairs=pairs, model=model)

    def curves_of(one: Inputs) -> Curves:
        return exact_curves(laws, one.numbers, one.models, k, parallel, pairs)

    start = curves_of(given)
    each, among = [], []
    for one in (given, *cases.low, *cases.high):
        same = one.models is cases.low[-1].models and one.numbers is numbers
        curves = start if same else curves_of(one)
        each.append(chosen_for_each(options, curves, one.limits, allowed))
        among.append(chosen_among_all(options, curves, one.limits, allowed, slot_price))

    n = len(cases.names)
    moved, moved_joint = (
        stacked([stacked([low, high]) for low, high in zip(of[1 : n + 1], of[n + 1 :], strict=True)])
        for of in (each, among)
    )
    wide = cases.changed[..., None, None]
    mean = cases.changed.mean(-1)[..., None]
    return Tornado(
        cases.names,
        cases.given,
        cases.changed,
        each[0],
        moved,
        arc_elasticity(moved.k, wide),
        among[0],
        moved_joint,
        arc_elasticity(moved_joint.k, mean),
    )


def arc_elasticity(k: np.ndarray, parameter: np.ndarray) -> np.ndarray:
    """Return relative change of k over that of a parameter, [n, ...] of sides [n, 2, ...].

    Both relative to the middle of the two sides (Allen and Lerner, "The concept of arc elasticity
    of demand", 1934). NaN where a side has no choice (k = -1) or the parameter did not move.
    """

    def relative(sides: np.ndarray) -> np.ndarray:
        low, high = sides[:, 0], sides[:, 1]
        return (high - low) / np.where(high + low == 0.0, np.nan, 0.5 * (high + low))

    passes = np.where((k < 0).any(1, keepdims=True), np.nan, k)
    step = relative(parameter)
    return relative(passes) / np.where(step == 0.0, np.nan, step)
