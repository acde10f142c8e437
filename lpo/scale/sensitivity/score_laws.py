"""The same means and standard deviations under other laws of a score. docs/scale_laws.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments
from lpo.scale.curves import Curves, Estimate, Limits
from lpo.scale.laws import AccuracyLaw, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.select import Options, with_slots
from lpo.scale.sensitivity.chosen import (
    Chosen,
    chosen_among_all,
    chosen_for_each,
    stacked,
)


class ScoreLaws(NamedTuple):
    """laws: `AccuracyLaw`, l of them. accuracy, accuracy_sd [l, m, K]: of the query. each,
    among_all: `Chosen` of [l, s, m, p, 5] and [l, s, 5]."""

    laws: tuple[AccuracyLaw, ...]
    accuracy: np.ndarray
    accuracy_sd: np.ndarray
    each: Chosen
    among_all: Chosen


def score_laws(
    options: Options,
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    curves: Curves,
    limits: Limits,
    allowed: Any,
    *,
    slot_price: float = 0.0,
) -> ScoreLaws:
    """Return accuracies and choices if scores were clipped normal, truncated normal or Beta.

    With the same two numbers of each model, which a clip or a truncation makes means and standard
    deviations of a score only about, a Beta distribution exactly (`AccuracyLaw`): k = 1 shows by
    how much. How far the best of k gets depends on the upper tail alone, which is an assumption.

    **Arguments:**

    - `curves` [m, p, K]: whose costs and times count. `limits` [s], `allowed` bool [p, K]: as for
      `tornado`, and `slot_price` too.

    **Raises:** InputError for rules that count right and wrong, which have no scores, and where
    there is no Beta distribution of the models' numbers.
    """
    if laws.rule.votes:
        raise InputError(f"`rule` must be one that has scores, got {laws.rule}.")
    kinds = tuple(AccuracyLaw)
    each, among, means, sds = [], [], [], []
    for kind in kinds:
        found = accuracy_moments(laws._replace(accuracy=kind), numbers, models, curves.k)
        mean, sd = (np.atleast_2d(leaf) for leaf in found)
        estimate = Estimate(mean[:, None], sd[:, None], np.zeros_like(mean[:, None]))
        here = with_slots(curves._replace(accuracy=estimate), slot_price)
        each.append(chosen_for_each(options, here, limits, allowed))
        among.append(chosen_among_all(options, here, limits, allowed))
        means.append(mean)
        sds.append(sd)
    return ScoreLaws(kinds, np.array(means), np.array(sds), stacked(each), stacked(among))
