"""Tokens of simulated passes, from standard normal numbers."""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr

from lpo.scale.models import Models
from lpo.scale.passes import Pairs
from lpo.scale.passes.standard import LONGEST


def clipped_lengths(models: Models, prompt: Array, output: Array) -> tuple[Array, Array]:
    """Return tokens of prompt and output [m, N]: normal and clipped (arXiv 2510.18905).

    Leaves of `models` [m, 1]; prompt, output: standard normal [N].
    """
    prompts = models.prompt + models.prompt_sd * prompt
    prompts = jnp.clip(prompts, 1.0, LONGEST * models.prompt)
    outputs = models.output + models.output_sd * output
    return prompts, jnp.clip(outputs, 1.0, LONGEST * prompts)


def drawn_pairs(pairs: Pairs, normal: Array) -> tuple[Array, Array]:
    """Return tokens of prompt and output [...], of the pair at the place of Phi(normal) [...] in
    the running sum of the weights."""
    upto = jnp.cumsum(pairs.weight, dtype=jnp.float64)
    at = jnp.searchsorted(upto[:-1], ndtr(normal) * upto[-1], side="right")
    return pairs.prompt[at], pairs.output[at]
