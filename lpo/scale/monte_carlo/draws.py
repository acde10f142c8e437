"""Random numbers of queries: the same ones for every model, every parallelism and every rule.

Queries are numbered, in blocks of `BLOCK`, and so are the passes of a query, in groups. A number
depends on the key, its block, its group and its place there alone: neither more queries, nor more
passes, nor other chunks change those that were there (nested common random numbers; Law,
"Simulation Modeling and Analysis", 5th edition, section 11.2).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lpo.scale.laws import LawNumbers, Laws, Rule
from lpo.scale.monte_carlo.weights import log_weights

BLOCK = 512
_PASSES = 8  # of a group: enough work for a key, and few numbers in vain


class Draws(NamedTuple):
    """Numbers of N queries with k passes; float32, standard normal but for `votes`.

    common [N]: the factor that passes share, or behind the probability that varies over queries.
    prompt, output, latent [k, N]: of each pass. noise [k, N]: on scores, or behind the wrong answer
    that a pass gives; None for rules that need none. votes [k, 2, N]: logarithms of the weights of
    a right and of a wrong vote; None but for the rule weighted.
    """

    common: Any
    prompt: Any
    output: Any
    latent: Any
    noise: Any
    votes: Any


def draw(
    key: Array, laws: Laws, numbers: LawNumbers, k_max: int, first: Array | int, blocks: int
) -> Draws:
    """Return the numbers of the queries of `blocks` blocks from the block `first` on."""
    groups = -(-k_max // _PASSES)
    noisy = laws.rule == Rule.VERIFIER or (laws.rule == Rule.MAJORITY and laws.wrong_answers > 1)
    weighted = laws.rule == Rule.WEIGHTED
    kinds = 3 + noisy + 2 * weighted

    def of_group(at: Array) -> tuple[Array, Array, Array | None]:
        own = jax.random.fold_in(jax.random.fold_in(key, first + at // groups), at % groups)
        # one call, of which JAX compiles the first numbers alike whatever comes after them
        rows = jax.random.normal(own, (1 + kinds * _PASSES, BLOCK), jnp.float32)
        passes = rows[1:].reshape(kinds, _PASSES, BLOCK)
        if not weighted:
            return rows[0], passes, None
        shapes = jnp.stack([numbers.right_weight, numbers.wrong_weight]).astype(jnp.float32)
        return rows[0], passes[:3], log_weights(own, shapes[:, None, None], passes[3:])

    # a loop over keys compiles faster than keys side by side, and keeps a core as busy
    over = jax.lax.map if jax.default_backend() == "cpu" else lambda f, at: jax.vmap(f)(at)
    common, passes, votes = over(of_group, jnp.arange(blocks * groups))
    passes = _by_pass(passes, blocks)[:, :k_max]
    if votes is not None:
        votes = jnp.moveaxis(_by_pass(votes, blocks)[:, :k_max], 0, 1)
    return Draws(
        common=common.reshape(blocks, groups, BLOCK)[:, 0].reshape(-1),
        prompt=passes[0],
        output=passes[1],
        latent=passes[2],
        noise=passes[3] if noisy else None,
        votes=votes,
    )


def _by_pass(values: Array, blocks: int) -> Array:
    """[blocks * groups, kinds, _PASSES, BLOCK] as [kinds, groups * _PASSES, blocks * BLOCK]."""
    kinds = values.shape[1]
    apart = values.reshape(blocks, -1, kinds, _PASSES, BLOCK)
    return jnp.transpose(apart, (2, 1, 3, 0, 4)).reshape(kinds, -1, blocks * BLOCK)
