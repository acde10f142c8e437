"""Derivatives of what a query costs, takes and is worth, in every number of every model."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.scale.accuracy import accuracy_moments, check_beta
from lpo.scale.latency import time_moments
from lpo.scale.laws import LawNumbers, Laws, Rule
from lpo.scale.models import Models
from lpo.scale.passes import Pairs, pass_moments


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

    By reverse differentiation of the exact functions (`exact_curves`), for all models at once.

    **Arguments:**

    - `models`: leaves [m]. `pairs`: observed lengths in place of normal ones, on which the lengths
      of the models then have no influence.
    - `k`: passes, whole numbers of at least 1, [m] or one for all models.
    - `parallel`: P, one number. Programs are compiled for P (but for the latency `mean`) and, for
      rules that count votes, for the largest k.

    Derivatives in what the laws do not use are 0, but that in the correlation is NaN where passes
    are independent by assumption (`Laws.correlated`): it is not 0 in truth. At the ends of what a
    number may be, such as a standard deviation of 0, derivatives are one-sided or 0. NumPy float64.

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
            int(parallel),
            votes,
            given[0],
            own,
            given[2],
            jnp.broadcast_to(jnp.asarray(passes), m),
        )
        values, derivatives = jax.tree.map(np.asarray, found)
        own = jax.tree.map(np.asarray, own)
    each = Moments(*(_own(laws, Slopes(*derivative)) for derivative in derivatives))
    number = Slopes(own, LawNumbers(*(np.asarray(leaf, np.float64) for leaf in numbers)))
    elastic = [_elastic(value, slope, number) for value, slope in zip(values, each, strict=True)]
    return Sensitivities(values, each, Moments(*elastic))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _slopes(
    laws: Laws,
    parallel: int,
    votes: int | None,
    numbers: LawNumbers,
    models: Models,
    pairs: Pairs | None,
    k: jax.Array,
) -> tuple[Moments, Moments]:
    """Values [m], and for each of them the derivatives in (models, numbers)."""

    def of_one(model: Models, numbers: LawNumbers, k: jax.Array) -> tuple[Moments, Moments]:
        one = pass_moments(model, pairs)
        # any k is waves of at most P passes
        time = time_moments(
            laws, numbers, model, pairs, k[None], jnp.array([parallel]), most=parallel
        )
        accuracy = accuracy_moments(laws, numbers, model, k[None], votes)
        (mean_time, sd_time), (mean, sd) = (
            (leaf.reshape(()) for leaf in both) for both in (time, accuracy)
        )
        found = Moments(k * one.cost, mean_time, mean, jnp.sqrt(k) * one.cost_sd, sd_time, sd)
        return found, found

    derivatives = jax.jacrev(of_one, argnums=(0, 1), has_aux=True)
    slopes, values = jax.vmap(derivatives, in_axes=(0, None, 0))(models, numbers, k)
    return values, slopes


def _own(laws: Laws, slope: Slopes) -> Slopes:
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
