"""What a denoiser is: from a noisy solution and what is known of its problem to the solution."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from lpo.l2o.family import Problem
from lpo.l2o.noise import Normaliser


class Probe(NamedTuple):
    """A point where the problem was looked at. z: [d], normalised. value: objective, []. slope:
    gradient in z, [d]. sigma: noise level there, []."""

    z: jax.Array
    value: jax.Array
    slope: jax.Array
    sigma: jax.Array


class Denoiser(NamedTuple):
    """init: key -> params. apply: (params, normaliser, z [d], sigma [], here, before, problem) ->
    z-hat [d]; here, before: `Probe` at z and at an earlier point, None for denoisers that look for
    themselves. calls: gradients that `apply` takes. probes: whether it needs them, a gradient for
    each new point."""

    name: str
    init: Callable[[jax.Array], Any]
    apply: Callable[
        [Any, Normaliser, jax.Array, jax.Array, Probe | None, Probe | None, Problem], jax.Array
    ]
    calls: int
    probes: bool
