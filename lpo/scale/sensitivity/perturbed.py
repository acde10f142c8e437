"""One number at a time, some per cent lower and higher, within what it may be."""

from typing import Any, NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.scale.curves import Limits
from lpo.scale.laws import AccuracyLaw, LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.sensitivity.parameters import LIMITS, used_parameters


class Inputs(NamedTuple):
    """What choices are made of: models [m], numbers of the laws, limits [s]."""

    models: Models
    numbers: LawNumbers
    limits: Limits


class Perturbed(NamedTuple):
    """Of n parameters: names, of fields of `Models` and `LawNumbers`, and `LIMITS`.

    inputs: as given, in full shapes. low, high: with one of them changed, n each. given [n, s, m]:
    their values. changed [n, 2, s, m]: what they became, low first.
    """

    names: tuple[str, ...]
    inputs: Inputs
    low: list[Inputs]
    high: list[Inputs]
    given: np.ndarray
    changed: np.ndarray


def perturbed(
    laws: Laws,
    inputs: Inputs,
    change: float = 0.1,
    *,
    pairs: Pairs | None = None,
    model: int | None = None,
) -> Perturbed:
    """Return the inputs with each parameter times 1 - change and times 1 + change.

    **Arguments:**

    - `pairs`: observed lengths, with which those of the models do not count.
    - `model`: the one whose numbers change, by its place; None: those of all models together.

    Parameters that the laws do not use are left out. Whatever would leave its range stops short: an
    accuracy at 1, mean lengths at 1 token, and where a range has no last number, half way to its
    end: the least accuracy of a scenario and a correlation on the way to 1, accuracy and standard
    deviation of a Beta distribution on the way to where there is none.

    **Raises:** InputError on a change outside (0, 1), and on a model that is not there.
    """
    if not 0.0 < change < 1.0:
        raise InputError(f"`change` must be in (0, 1), got {change}.")
    models = Models(*np.broadcast_arrays(*(np.atleast_1d(leaf) for leaf in inputs.models)))
    limits = Limits(*np.broadcast_arrays(*(np.atleast_1d(leaf) for leaf in inputs.limits)))
    inputs = inputs._replace(models=models, limits=limits)
    m, s = len(models.accuracy), len(limits.cost)
    if model is not None and not 0 <= model < m:
        raise InputError(f"`model` must be from 0 to {m - 1}, got {model}.")
    mine = np.ones(m, bool) if model is None else np.arange(m) == model
    names = used_parameters(laws, pairs)
    both: list[list[Inputs]] = []
    for factor in (1.0 - change, 1.0 + change):
        both.append([_with(laws, inputs, name, factor, mine) for name in names])

    def value(name: str, of: Inputs) -> np.ndarray:
        number = _parts(of)[name]
        if name in LIMITS:
            number = np.asarray(number)[:, None]
        return np.broadcast_to(np.asarray(number, np.float64), (s, m))

    low, high = both
    each = [[value(name, of) for of in pair] for name, *pair in zip(names, low, high, strict=True)]
    return Perturbed(
        names,
        inputs,
        low,
        high,
        given=np.array([value(name, inputs) for name in names]),
        changed=np.array(each),
    )


def _parts(inputs: Inputs) -> dict[str, Any]:
    limits = zip(LIMITS, inputs.limits, strict=True)
    return inputs.models._asdict() | inputs.numbers._asdict() | dict(limits)


def _with(laws: Laws, inputs: Inputs, name: str, factor: float, mine: np.ndarray) -> Inputs:
    given = np.asarray(_parts(inputs)[name], np.float64)
    low, high = _range(laws, inputs.models, name, given)
    number = np.clip(given * factor, low, high)
    if name in LIMITS:
        return inputs._replace(
            limits=inputs.limits._replace(**{Limits._fields[LIMITS.index(name)]: number})
        )
    if name in LawNumbers._fields:
        return inputs._replace(numbers=inputs.numbers._replace(**{name: float(number)}))
    number = np.where(mine, number, given)
    return inputs._replace(models=inputs.models._replace(**{name: number}))


def _range(laws: Laws, models: Models, name: str, given: np.ndarray) -> tuple[Any, Any]:
    """The least and the greatest that a parameter becomes."""
    if name in ("prompt", "output"):
        return 1.0, np.inf
    if name in ("accuracy_limit", "correlation"):
        return 0.0, 0.5 * (given + 1.0)
    beta = laws.varied or (laws.accuracy == AccuracyLaw.BETA and not laws.rule.votes)
    if name == "accuracy":
        if not beta:
            return 0.0, 1.0
        # mean (1 - mean) > sd^2 between the two roots
        root = np.sqrt(np.maximum(1.0 - 4.0 * models.accuracy_sd**2, 0.0))
        ends = 0.5 * (1.0 - root), 0.5 * (1.0 + root)
        return tuple(0.5 * (given + end) for end in ends)
    if name == "accuracy_sd" and beta:
        end = np.sqrt(models.accuracy * (1.0 - models.accuracy))
        return 0.0, 0.5 * (given + end)
    return 0.0, np.inf
