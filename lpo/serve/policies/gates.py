"""Which class is prefilled next: pure functions for `jit` and `vmap`, and for NumPy's eyes too."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.policies.kinds import Gate, Policy
from lpo.serve.policies.targets import Targets


class Seen(NamedTuple):
    """What a gate sees. waiting, prefilling, credit [I]; first []: the class of the request that
    came first, anything while nobody waits."""

    waiting: Array
    prefilling: Array
    credit: Array
    first: Array


def admit(policy: Policy, targets: Targets, seen: Seen) -> Array:
    """Return the class whose first request should be prefilled now, or -1 for none; int32 [].

    That a prefill slot is free is the caller's to know. arXiv 2602.02987 for the gates `index`,
    `strict` and `priority`; `credit` is ours (docs/serve_policies.md).
    """
    may = _eligible(policy, targets, seen)
    came_first = jnp.arange(len(may)) == seen.first
    ranks: list[Array] = []  # larger is better, the first counts before the second
    if policy.gate in (Gate.INDEX, Gate.STRICT):
        planned = targets.x > 0.0
        below = (targets.x - seen.prefilling) / jnp.where(planned, targets.x, 1.0)
        ranks = [jnp.where(planned, below, -jnp.inf), seen.waiting - targets.waiting]
    elif policy.gate == Gate.PRIORITY:
        ranks = [targets.order]
    elif policy.gate == Gate.CREDIT:
        held = seen.credit / jnp.maximum(targets.rate, 1e-30)
        ranks = [jnp.where(targets.open, came_first, held)]
    else:
        ranks = [came_first]
    return _best(may, ranks)


def earn(targets: Targets, credit: Array, seconds: Array) -> Array:
    """Return the credits [I] after some time: they grow at the planned admissions, to a cap."""
    return jnp.minimum(credit + targets.rate * seconds, targets.cap)


def spend(targets: Targets, credit: Array, chosen: Array) -> Array:
    """Return the credits [I] after an admission of class `chosen` (-1: none); exempt classes may
    owe nothing, so that no credit falls below 0."""
    return jnp.maximum(credit - (jnp.arange(len(credit)) == chosen), 0.0)


def _eligible(policy: Policy, targets: Targets, seen: Seen) -> Array:
    may = seen.waiting > 0.0
    if policy.gate == Gate.CREDIT:
        # a credit left over from another plan does not admit a class that has no place in this one
        earned = (seen.credit >= 1.0) & (targets.rate > 0.0)
        may &= earned | targets.exempt | targets.open
    elif policy.gate == Gate.STRICT:
        may &= seen.prefilling < targets.x
    if policy.refuse_unplanned:
        may &= targets.x > 0.0
    return may


def _best(may: Array, ranks: list[Array]) -> Array:
    for rank in ranks:
        among = jnp.where(may, rank, -jnp.inf)
        may &= among >= among.max()
    return jnp.where(may.any(), jnp.argmax(may), -1).astype(jnp.int32)
