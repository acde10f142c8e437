"""What the answer of k passes is worth: one more pass at a time. docs/scale_laws.md."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr, ndtri

from lpo.scale.accuracy.score import Scores, scores_of, standard
from lpo.scale.laws import AccuracyLaw, LawNumbers, Laws, Rule
from lpo.scale.monte_carlo.draws import Draws


class Marks(NamedTuple):
    """How passes are marked. score: from latent numbers [N] or [m, N] to scores [m, N]. least
    [m, 1] or [m, N]: the latent number above which a pass is right, for rules that count votes."""

    score: Callable[[Array], Array]
    least: Any


@partial(jax.jit, static_argnums=0)
def scores_for(laws: Laws, accuracy: Array, accuracy_sd: Array) -> Scores | None:
    """Return the law of scores, leaves [m, 1], for parameters [m]; None where no score is drawn.

    Tables of it take longer than some queries, and serve them all. Needs float64.
    """
    if laws.varied:
        return scores_of(AccuracyLaw.BETA, accuracy[:, None], accuracy_sd[:, None])
    if laws.rule.votes:
        return None
    return scores_of(laws.accuracy, accuracy[:, None], accuracy_sd[:, None])


def marks_of(laws: Laws, right: Array, scores: Scores | None, common: Array) -> Marks:
    """Return the marks of queries with common factors [N].

    right float64 [m, 1]: the probability of a right pass, if it does not vary. scores: of
    `scores_for`.
    """
    law = AccuracyLaw.BETA if laws.varied else laws.accuracy

    def score(latent: Array) -> Array:
        assert scores is not None
        values = scores.mean + scores.sd * standard(law, scores, latent)
        return jnp.clip(values, 0.0, 1.0).astype(jnp.float32)

    if not laws.rule.votes:
        return Marks(score, None)
    # in float64, where the distance of a probability to 1 is not rounded
    given = score(common).astype(jnp.float64) if laws.varied else right
    return Marks(score, -ndtri(given).astype(jnp.float32))


def latent_of_passes(laws: Laws, numbers: LawNumbers, draws: Draws) -> Array:
    """Return the latent numbers of passes [k, N]: with one common factor where they correlate."""
    if not laws.correlated:
        return draws.latent
    shared, own = jnp.sqrt(numbers.correlation), jnp.sqrt(1.0 - numbers.correlation)
    return shared * draws.common + own * draws.latent


def no_answers(laws: Laws, models: int, queries: int) -> Any:
    """Return the state before the first pass: what `next_answer` needs to know of all before.

    The best latent number [N]; for `verifier` the best score with noise and its score, [m, N]; for
    `majority` how often each answer was given [1 + wrong_answers, m, N], right ones first; for
    `weighted` the logarithms of the weights of right and wrong answers [2, m, N].
    """
    shape = (models, queries)
    none = jnp.full(shape, -jnp.inf, jnp.float32)
    match laws.rule:
        case Rule.VERIFIER:
            return none, jnp.zeros(shape, jnp.float32)
        case Rule.MAJORITY:
            return jnp.zeros((1 + laws.wrong_answers, *shape), jnp.float32)
        case Rule.WEIGHTED:
            return jnp.stack([none, none])
        case _:
            return none[0]


def next_answer(
    laws: Laws, numbers: LawNumbers, marks: Marks, state: Any, latent: Array, draws: Draws
) -> tuple[Any, Array]:
    """Return the state after one more pass, and what the answer is worth then, [m, N].

    latent [N], draws: of this pass. A tie of right answers with n wrong ones is worth its
    expectation, 1 / (n + 1).
    """
    match laws.rule:
        case Rule.BEST_OF_K:
            best = jnp.maximum(state, latent)
            return best, marks.score(best)
        case Rule.PASS_AT_K:
            best = jnp.maximum(state, latent)
            return best, (best > marks.least).astype(jnp.float32)
        case Rule.VERIFIER:
            best, chosen = state
            score = marks.score(latent)
            seen = score + numbers.verifier_sd * draws.noise
            chosen = jnp.where(seen > best, score, chosen)
            return (jnp.maximum(best, seen), chosen), chosen
        case Rule.MAJORITY:
            counts = state + _vote(laws, marks, latent, draws)
            right, wrong = counts[0], counts[1:]
            ties = (wrong == right).sum(0)
            return counts, jnp.where((wrong > right).any(0), 0.0, 1.0 / (1.0 + ties))
        case Rule.WEIGHTED:
            right = latent > marks.least
            own = jnp.stack([right, ~right])
            votes = jnp.where(own, draws.votes[:, None], -jnp.inf)
            weights = jnp.logaddexp(state, votes)
            return weights, (weights[0] > weights[1]).astype(jnp.float32)


def _vote(laws: Laws, marks: Marks, latent: Array, draws: Draws) -> Array:
    """Which answer a pass gives, [1 + wrong_answers, m, N]."""
    right = latent > marks.least
    if laws.wrong_answers == 1:
        return jnp.stack([right, ~right]).astype(jnp.float32)
    at = jnp.floor(laws.wrong_answers * ndtr(draws.noise))
    which = jnp.minimum(at, laws.wrong_answers - 1)
    given = jnp.arange(laws.wrong_answers, dtype=jnp.float32)[:, None] == which
    return jnp.concatenate([right[None], ~right & given[:, None]]).astype(jnp.float32)
