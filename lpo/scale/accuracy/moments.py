"""Mean and standard deviation of the accuracy of k passes, for every rule and law."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lpo.errors import InputError
from lpo.scale.accuracy.best import any_right, best_of_k
from lpo.scale.accuracy.pass_at_k import any_right_varied
from lpo.scale.accuracy.verifier import verified
from lpo.scale.accuracy.votes import MOST, majority, of_votes, weighted
from lpo.scale.laws import AccuracyLaw, LawNumbers, Laws, Rule
from lpo.scale.models import Models
from lpo.scale.root import root


def accuracy_moments(
    laws: Laws, numbers: LawNumbers, models: Models, k: Any, most: int | None = None
) -> tuple[Any, Any]:
    """Return mean and standard deviation over queries of the accuracy of k passes, [m, K].

    **Arguments:**

    - `models`: leaves [m], or numbers for one model.
    - `k`: [K], at least 1; whole for the rules majority and weighted, else real, and then the
      results have derivatives with respect to it.
    - `most`: at least the largest k, for the rules majority and weighted; needed where k is being
      traced, and results for larger k are then not a number.

    What a query is worth: the score of the answer that the rule takes, or the probability that a
    right answer wins (1 / (t + 1) in a tie with t wrong ones). Correlated passes share a common
    factor (docs/scale_laws.md). Exact up to quadrature; the modules of each rule say how. NumPy
    float64 unless something is being traced; then in the precision of what is given, which should
    be float64.

    **Raises:** InputError on k out of range where it is known, on votes of over 1000 passes, and on
    means and standard deviations that no Beta distribution has where the laws ask for one.
    """
    counted = laws.rule in (Rule.MAJORITY, Rule.WEIGHTED)
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((numbers, models, k)))
    if not isinstance(k, Tracer):
        _check_k(np.asarray(k, float), counted)
        most = int(np.max(k)) if most is None else most
        if counted and most < np.max(k):
            raise InputError(f"`most` must be at least the largest k, {np.max(k)}, got {most}.")
    if not counted:
        most = None
    elif most is None:
        raise InputError(f"`most` must be given for the rule {laws.rule} while k is being traced.")
    elif most > MOST:
        raise InputError(f"`k` must be at most {MOST} for the rule {laws.rule}, got {most}.")
    if traced:
        return _moments(laws, most, numbers, models, k)
    check_beta(laws, models)
    with jax.enable_x64(True):
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (numbers, models, k))
        mean, sd = _moments(laws, most, *given)
        return np.asarray(mean), np.asarray(sd)


def check_beta(laws: Laws, models: Models, names: Sequence[str] | None = None) -> None:
    """Raise InputError where the laws ask for Beta distributions that do not exist.

    names: of the models [m], for the line; without them it says the place of the model, from 0.
    """
    scored = not laws.rule.votes and laws.accuracy == AccuracyLaw.BETA
    if not (scored or laws.varied):
        return
    given = np.asarray(models.accuracy), np.asarray(models.accuracy_sd)
    mean, sd = (each.ravel() for each in np.broadcast_arrays(*given))
    good = (mean > 0.0) & (mean < 1.0) & (sd**2 < mean * (1.0 - mean))
    if good.all():
        return
    at = int(good.argmin())
    inside = 0.0 < mean[at] < 1.0
    most = f" = {np.sqrt(mean[at] * (1.0 - mean[at])):.4g}" if inside else ""
    raise InputError(
        f"model {at if names is None else names[at]}: accuracy {mean[at]:g} with accuracy_sd "
        f"{sd[at]:g} given; allowed for a Beta distribution: accuracy inside (0, 1), accuracy_sd "
        f"below sqrt(accuracy (1 - accuracy)){most}"
    )


def _check_k(k: np.ndarray, counted: bool) -> None:
    if k.ndim != 1 or k.size == 0 or not (np.isfinite(k) & (k >= 1.0)).all():
        raise InputError(f"`k` must be an array of numbers of at least 1, got {k}.")
    if counted and (k != np.floor(k)).any():
        raise InputError(f"`k` must be whole where votes are counted, got {k}.")


@partial(jax.jit, static_argnums=(0, 1))
def _moments(
    laws: Laws, most: int | None, numbers: LawNumbers, models: Models, k: jax.Array
) -> tuple[jax.Array, jax.Array]:
    mean, sd = (jnp.atleast_1d(leaf) for leaf in (models.accuracy, models.accuracy_sd))
    mean, sd = jnp.broadcast_arrays(mean, sd)
    k = jnp.asarray(k, mean.dtype)
    correlation = numbers.correlation if laws.correlated else None
    if laws.rule == Rule.BEST_OF_K:
        return best_of_k(laws.accuracy, mean, sd, k, correlation)
    if laws.rule == Rule.VERIFIER:
        return verified(laws.accuracy, mean, sd, numbers.verifier_sd, k, correlation)
    if laws.rule == Rule.PASS_AT_K:
        right = any_right_varied(mean, sd, k) if laws.varied else any_right(mean, k, correlation)
        return right, root(right * (1.0 - right))
    assert most is not None
    if laws.rule == Rule.MAJORITY:
        worth = majority(k, laws.wrong_answers, most)
    else:
        worth = weighted(k, numbers.right_weight, numbers.wrong_weight, most)
    first, second = of_votes(mean, k, worth, correlation)
    first = jnp.where(k <= most, first, jnp.nan)  # tables end there
    return first, root(second - first * first)
