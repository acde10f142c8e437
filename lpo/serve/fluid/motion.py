"""How the state of a large fleet changes under a policy. docs/serve_policies.md."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from lpo.serve.fluid.flows import admissions, placements
from lpo.serve.instance import Instance
from lpo.serve.policies.kinds import Policy
from lpo.serve.policies.targets import Targets
from lpo.serve.rates import Rates, service_rates


class State(NamedTuple):
    """Requests per GPU by class. waiting, prefilling [I]. buffered [2, I]: those that wait for GPUs
    without prefills and for the others; all in the first row where there is one queue. mixed, solo
    [I]: decodes on GPUs that may prefill and on those that never do."""

    waiting: Any
    prefilling: Any
    buffered: Any
    mixed: Any
    solo: Any


def motion(
    policy: Policy, instance: Instance, targets: Targets, state: State, eps: Array | float
) -> State:
    """Return the derivative of `state`, per second. targets: of one GPU, see `per_gpu`."""
    rates, theta = service_rates(instance), instance.patience
    prefilled = rates.mu_p * state.prefilling
    admitted = admissions(
        policy, targets, instance.arrival, state.waiting, state.prefilling, prefilled, eps
    )
    solo_ends, mixed_ends = decode_ends(rates, targets, state)
    solo_slots = instance.hardware.batch * (1.0 - targets.mixed)
    mixed_slots = targets.mixed_slots * targets.mixed
    rooms = (
        solo_ends.sum() + (solo_slots - state.solo.sum()) / eps,
        mixed_ends.sum() + (mixed_slots - state.mixed.sum()) / eps,
    )
    buffered, solo, mixed = placements(policy, targets, prefilled, state.buffered, rooms, eps)
    return State(
        waiting=instance.arrival - admitted - theta * state.waiting,
        prefilling=admitted - prefilled,
        buffered=buffered - theta * state.buffered,
        mixed=mixed - mixed_ends,
        solo=solo - solo_ends,
    )


def decode_ends(rates: Rates, targets: Targets, state: State) -> tuple[Array, Array]:
    """Return decodes that end per second, [I], on GPUs that never prefill and on the others.

    These decode in mixed iterations for the share of time in which they prefill: a GPU's prefill
    and the number of its decodes are taken as independent.
    """
    busy = jnp.minimum(state.prefilling.sum() / targets.mixed, 1.0)
    return rates.mu_s * state.solo, (busy * rates.mu_m + (1.0 - busy) * rates.mu_s) * state.mixed


def per_gpu(targets: Targets) -> Targets:
    """Return the targets of one GPU, whose `mixed` is M / n."""
    n = targets.gpus
    counts = {name: getattr(targets, name) / n for name in ("mixed", "x", "waiting", "rate")}
    return targets._replace(gpus=n / n, **counts)
