"""Derivatives of what a query costs, takes and is worth, in every number of every model."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments, check_beta
from lpo.scale.latency import largest_wave, time_moments
from lpo.scale.laws import LawNumbers, Laws, Rule
from lpo.scale.models import Models
from lpo.scale.passes import Pairs, pass_moments
from lpo.scale.sensitivity.parameters import (
    accuracy_parameters,
    cost_parameters,
    time_parameters,
)


class Moments(NamedTuple):
    """Of a query, [m] each: means and standard deviations of cost in dollars, time in seconds and
    accuracy; or one of `Slopes` in place of each."""

    cost: Any
    time: Any
    accuracy: Any
    cost_sd: Any
    time_sd: Any
    accuracy_sd: Any


class Slopes(NamedTuple):
    """Derivatives with respect to the numbers of the model itself, `Models` of [m], and to those
    that all models share, `LawNumbers` of [m]."""

    models: Models
    numbers: LawNumbers


class Sensitivities(NamedTuple):
    """values: `Moments` of [m]. slopes, elasticities: `Moments` of `Slopes`.

    An elasticity is the derivative times the number over the value: by how many per cent the value
    changes with one per cent more of the number. NaN where the value is 0.
    """

    values: Moments
    slopes: Moments
    elasticities: Moments


def slopes(
    laws: Laws,
    numbers: LawNumbers,
    models: Models,
    k: Any,
    parallel: int,
    pairs: Pairs | None = None,
) -> Sensitivities:
    """Return means and standard deviations of k passes on P slots and all their derivatives.

    By forward differentiation of the exact functions (`exact_curves`), for all models at once.

    **Arguments:**

    - `models`: leaves [m]. `pairs`: observed lengths in place of normal ones, on which the lengths
      of the models then have no influence.
    - `k`: passes, whole numbers of at least 1, [m] or one for all models.
    - `parallel`: P, one number. Programs are compiled for the largest wave, min(P, max k), and,
      for rules that count votes, for the largest k.

    Derivatives in what the laws do not use are 0, but those of accuracy in the correlation are NaN
    where passes are independent by assumption (`Laws.correlated`): in truth they are not 0. At the
    ends of what a number may be, such as a standard deviation of 0, derivatives are one-sided or 0.
    NumPy float64.

    **Raises:** InputError on k or P that are no whole numbers of at least 1, and as `exact_curves`.
    """
    passes = _whole("k", k)
    if np.ndim(parallel) or _whole("parallel", parallel) < 1:
        raise InputError(f"`parallel` must be one whole number of at least 1, got {parallel}.")
    m = np.broadcast_shapes(*(np.shape(leaf) for leaf in models), (1,))
    if passes.shape not in ((), m):
        raise InputError(f"`k` must be one number or {m[0]}, one a model, got {k}.")
    check_beta(laws, models)
    votes = int(passes.max()) if laws.rule in (Rule.MAJORITY, Rule.WEIGHTED) else None
    with jax.enable_x64(True):
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (numbers, models, pairs))
        own = Models(*(jnp.broadcast_to(leaf, m) for leaf in given[1]))
        found = _slopes(
            laws,
            largest_wave(passes, parallel),
            votes,
            given[0],
            own,
            given[2],
            jnp.broadcast_to(jnp.asarray(passes), m),
            jnp.asarray(int(parallel)),
        )
        values, derivatives = jax.tree.map(np.asarray, found)
        own = jax.tree.map(np.asarray, own)
    each = derivatives._replace(
        accuracy=_known(laws, derivatives.accuracy),
        accuracy_sd=_known(laws, derivatives.accuracy_sd),
    )
    number = Slopes(own, LawNumbers(*(np.asarray(leaf, np.float64) for leaf in numbers)))
    elastic = [_elastic(value, slope, number) for value, slope in zip(values, each, strict=True)]
    return Sensitivities(values, each, Moments(*elastic))


_QUICK: Any = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Of XLA: derivatives take tens of milliseconds either way, compiling for them a third as long."""


@partial(jax.jit, static_argnums=(0, 1, 2), compiler_options=_QUICK)
def _slopes(
    laws: Laws,
    most: int,
    votes: int | None,
    numbers: LawNumbers,
    models: Models,
    pairs: Pairs | None,
    k: jax.Array,
    parallel: jax.Array,
) -> tuple[Moments, Moments]:
    """Values [m], and for each of them the derivatives."""

    def cost(model: Models, _: LawNumbers, k: jax.Array) -> tuple[Any, Any]:
        one = pass_moments(model, pairs)
        return k * one.cost, jnp.sqrt(k) * one.cost_sd

    def time(model: Models, numbers: LawNumbers, k: jax.Array) -> tuple[Any, Any]:
        return time_moments(laws, numbers, model, pairs, k[None], parallel[None], most=most)

    def accuracy(model: Models, numbers: LawNumbers, k: jax.Array) -> tuple[Any, Any]:
        return accuracy_moments(laws, numbers, model, k[None], votes)

    def of_one(model: Models, k: jax.Array) -> tuple[tuple[Any, Any], ...]:
        time_of = time_parameters(laws, pairs)
        return (
            _differentiated(cost, cost_parameters(pairs), model, numbers, k),
            _differentiated(time, time_of, model, numbers, k),
            _differentiated(accuracy, accuracy_parameters(laws), model, numbers, k),
        )

    found = jax.vmap(of_one)(models, k)

    def ordered(each: Any) -> Moments:
        return Moments(*(mean for mean, _ in each), *(sd for _, sd in each))

    return ordered([values for values, _ in found]), ordered([slopes for _, slopes in found])


def _differentiated(
    of: Any, names: tuple[str, ...], model: Models, numbers: LawNumbers, k: jax.Array
) -> tuple[tuple[Any, Any], tuple[Slopes, Slopes]]:
    """Mean and standard deviation of one model, and the derivatives of both: forward, in the
    numbers that count alone, 0 in all others."""
    counted = model._asdict() | numbers._asdict()

    def at(moved: dict[str, Any]) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        all_of = counted | moved
        here = Models(*(all_of[name] for name in Models._fields))
        shared = LawNumbers(*(all_of[name] for name in LawNumbers._fields))
        mean, sd = (leaf.reshape(()) for leaf in of(here, shared, k))
        return (mean, sd), (mean, sd)

    derivatives, values = jax.jacfwd(at, has_aux=True)({name: counted[name] for name in names})
    none = jnp.zeros_like(k, jnp.float64)
    slopes = [
        Slopes(
            Models(*(own.get(name, none) for name in Models._fields)),
            LawNumbers(*(own.get(name, none) for name in LawNumbers._fields)),
        )
        for own in derivatives
    ]
    return values, (slopes[0], slopes[1])


def _known(laws: Laws, slope: Slopes) -> Slopes:
    if laws.correlated:
        return slope
    unknown = np.full_like(slope.numbers.correlation, np.nan)
    return slope._replace(numbers=slope.numbers._replace(correlation=unknown))


def _elastic(value: np.ndarray, slope: Slopes, number: Slopes) -> Slopes:
    worth = np.where(value == 0.0, np.nan, value)
    return jax.tree.map(lambda each, given: each * given / worth, slope, number)


def _whole(name: str, given: Any) -> np.ndarray:
    numbers = np.asarray(given)
    good = np.issubdtype(numbers.dtype, np.number) and numbers.ndim <= 1
    if not good or not (np.isfinite(numbers) & (numbers >= 1) & (numbers % 1 == 0)).all():
        raise InputError(f"`{name}` must be whole numbers of at least 1, got {given}.")
    return numbers.astype(np.int64)
