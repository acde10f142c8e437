"""The compiled program: some queries, one pass after the other, every model and parallelism."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.scale.accuracy.score import Scores
from lpo.scale.curves import Limits
from lpo.scale.laws import LawNumbers, Laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo.answers import latent_of_passes, marks_of, next_answer, no_answers
from lpo.scale.monte_carlo.draws import BLOCK, Draws, draw
from lpo.scale.monte_carlo.lengths import clipped_lengths, drawn_pairs
from lpo.scale.monte_carlo.moments import mean_and_squares
from lpo.scale.monte_carlo.slots import next_pass, no_passes
from lpo.scale.passes import Pairs

_ROUNDING = 1e-6  # of a limit: what single passes in float32 may be off

COST, ACCURACY, TIME = slice(0, 1), slice(1, 2), slice(2, None)
"""Rows of what a chunk returns: the time on each number of slots comes last."""


class Sizes(NamedTuple):
    """What the program is compiled for, besides the laws.

    k_max: passes. slots: at the most, for the latency work_conserving. blocks: of `BLOCK` queries.
    paths: whether single queries are returned.
    """

    k_max: int
    slots: int
    blocks: int
    paths: bool


class Question(NamedTuple):
    """What is simulated: numbers of the laws, models [m], the law of their scores, pairs or None,
    parallel int [p] slots, limits [s] or None."""

    numbers: LawNumbers
    models: Models
    scores: Scores | None
    pairs: Pairs | None
    parallel: Any
    limits: Limits | None


class Chunk(NamedTuple):
    """For k = 1 to k_max, with q = 2 + p rows: `COST`, `ACCURACY` and `TIME`.

    mean, squares: float64 [k, q, m], means and sums of squared distances to them. met: int
    [k, s, p, m], how many queries kept all limits; None without limits. values: float32
    [k, q, m, N], of single queries, or None.
    """

    mean: Any
    squares: Any
    met: Any
    values: Any


@partial(jax.jit, static_argnums=(0, 1))
def simulate_chunk(
    laws: Laws, sizes: Sizes, key: Array, first: Any, count: Any, question: Question
) -> Chunk:
    """Return what happens to `count` queries from the block `first` on; the blocks' other queries
    are simulated and not counted. Needs float64."""
    single = jax.tree.map(_single, question)
    numbers, pairs, limits = single.numbers, single.pairs, question.limits
    models = jax.tree.map(lambda leaf: leaf[:, None], single.models)
    queries = sizes.blocks * BLOCK
    counted = jnp.arange(queries) < count
    draws = draw(key, laws, numbers, sizes.k_max, first, sizes.blocks)
    if pairs is not None:
        prompt, output = drawn_pairs(pairs, draws.prompt)
        draws = draws._replace(prompt=prompt, output=output)
    latent = latent_of_passes(laws, numbers, draws)
    right = jnp.asarray(question.models.accuracy)[:, None]
    marks = marks_of(laws, right, single.scores, draws.common)
    shape = (len(models.accuracy), queries)

    def one_more(carry: Any, given: tuple[Array, Draws, Array]) -> tuple[Any, Chunk]:
        cost, slots, answers = carry
        at, own, latent = given
        prompt, output = own.prompt, own.output
        if pairs is None:
            prompt, output = clipped_lengths(models, prompt, output)
        cost = cost + (models.input_price * prompt + models.output_price * output)
        seconds = models.input_s * prompt + models.output_s * output
        slots, time = next_pass(laws, numbers, single.parallel, slots, at, seconds)
        answers, accuracy = next_answer(laws, numbers, marks, answers, latent, own)
        # one array: a third of the loops to compile, and to start at every pass
        values = jnp.concatenate([cost[None], accuracy[None].astype(jnp.float64), time])
        read = Chunk(
            *mean_and_squares(values, counted, count),
            met=None if limits is None else _met(limits, values, counted),
            values=values.astype(jnp.float32) if sizes.paths else None,
        )
        return (cost, slots, answers), read

    begin = (
        jnp.zeros(shape),
        no_passes(laws, single.parallel, sizes.slots, shape),
        no_answers(laws, *shape),
    )
    each = draws._replace(common=None)
    return jax.lax.scan(one_more, begin, (jnp.arange(sizes.k_max), each, latent))[1]


def _single(leaf: Any) -> Array:
    """Real numbers in float32; integers as they are."""
    array = jnp.asarray(leaf)
    return array.astype(jnp.float32) if jnp.issubdtype(array.dtype, jnp.floating) else array


def _met(limits: Limits, values: Array, counted: Array) -> Array:
    """How many queries kept all limits of each of s scenarios, [s, p, m]."""
    cost, accuracy, time = values[COST], values[ACCURACY], values[TIME]
    factors = (1.0 + _ROUNDING, 1.0 + _ROUNDING, 1.0 - _ROUNDING)
    most_cost, most_time, least = (
        (jnp.asarray(limit) * factor)[:, None, None, None]
        for limit, factor in zip(limits, factors, strict=True)
    )
    good = (cost <= most_cost) & (accuracy >= least) & counted
    return (good & (time <= most_time)).sum(-1)
