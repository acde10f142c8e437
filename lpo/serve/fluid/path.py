"""How a large fleet evolves under a policy, without randomness. docs/serve_policies.md."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jax.core import Tracer
from jax.flatten_util import ravel_pytree

from lpo.errors import InputError
from lpo.serve.fluid.motion import State, decode_ends, motion, per_gpu
from lpo.serve.instance import Instance
from lpo.serve.policies.kinds import Policy, Pools, Router
from lpo.serve.policies.targets import Targets
from lpo.serve.rates import service_rates
from lpo.serve.totals import Occupancy

_RTOL, _ATOL = 1e-6, 1e-9
_MAX_STEPS = 2**15
# A chord keeps the slope at the beginning of a step. Where a queue runs empty or a pool full within
# it that is the slope of the other side, off by 1 / eps, and steps shrink to eps for good.
_NEWTON = diffrax.with_stepsize_controller_tols(optimistix.Newton)()
_AT_REST = 1e-5  # requests per GPU and second


class FluidPath(NamedTuple):
    """A path of the fluid, per GPU; NumPy float64 unless it is being differentiated.

    times [T]: s. occupancy: each [T, I]; `mixed` means on the GPUs that may prefill. completed
    [T, I]: requests per second. bundled, separate [T]: currency per second, if requests are paid
    when they are complete, or prompts when their prefill is. notes: what else there is to know.
    """

    times: Any
    occupancy: Occupancy
    completed: Any
    bundled: Any
    separate: Any
    notes: tuple[str, ...]


def integrate(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    *,
    seconds: float,
    eps: float = 1e-3,
    start: Occupancy | None = None,
    save_at: int | Sequence[float] | np.ndarray = 201,
) -> FluidPath:
    """Integrate the fluid of a policy with a fixed partition (arXiv 2602.02987, fluid model; that
    it is closed by the policy itself is ours).

    **Arguments:**

    - `targets`: as of `targets_of`; what counts is M / n and the plan per GPU, so that a large n
      gives the limit, and a small one the rounding of M but not the randomness.
    - `eps`: s in which a queue is served, or a slot filled, that nothing holds back.
    - `start`: requests per GPU, [I] each; nobody by default. Where each pool has a queue of its
      own, `waiting_decode` is divided by the planned shares.
    - `save_at`: the times to return, ascending in [0, seconds], or how many, evenly spaced.

    **Raises:** InputError where the policy has no pools of GPUs, or decodes by the state of single
    GPUs, and on numbers out of range; a diffrax error where the solver fails.
    """
    if policy.pools == Pools.NONE or policy.router not in (Router.SOLO_FIRST, Router.SHARES):
        raise InputError(
            "The fluid is for policies whose GPUs either may prefill or never do "
            f"(pools mixed or split), with the router solo_first or shares; got {policy.name}."
        )
    if policy.prefill_pauses:
        raise InputError(f"The fluid has no pauses of decodes, which {policy.name} asks for.")
    for name, number in (("seconds", seconds), ("eps", eps)):
        if not (np.isfinite(number) and number > 0.0):
            raise InputError(f"`{name}` must be positive and finite, got {number}.")
    times = _times(save_at, seconds)
    if start is None:
        start = Occupancy(*[np.zeros(len(instance.arrival))] * 5)
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((instance, start)))
    if not traced:
        _check_start(start, len(instance.arrival))
    with jax.enable_x64(True):  # queues over eps, and states of rest to 1e-8
        given = jax.tree.map(_real, (instance, targets, start))
        path, change = _integrate(policy, *given, jnp.asarray(times), float(seconds), float(eps))
        if traced:
            return path
        path = jax.tree.map(np.asarray, path)
        return path._replace(notes=_notes(float(change)))


@partial(jax.jit, static_argnums=0)
def _integrate(
    policy: Policy,
    instance: Instance,
    targets: Targets,
    start: Occupancy,
    times: jax.Array,
    seconds: float,
    eps: float,
) -> tuple[FluidPath, jax.Array]:
    """The path without notes, and the largest change per second at its end."""
    targets, rates = per_gpu(targets), service_rates(instance)
    share = targets.solo_share if policy.router == Router.SHARES else 1.0
    buffered = jnp.stack([share * start.waiting_decode, (1.0 - share) * start.waiting_decode])
    begin, state_of = ravel_pytree(
        State(start.waiting_prefill, start.prefilling, buffered, start.mixed, start.solo)
    )

    def change(state: jax.Array) -> jax.Array:
        return ravel_pytree(motion(policy, instance, targets, state_of(state), eps))[0]

    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda _, state, __: change(state)),
        diffrax.Kvaerno5(root_finder=_NEWTON),
        0.0,
        seconds,
        dt0=None,
        y0=begin,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=_RTOL, atol=_ATOL),
        max_steps=_MAX_STEPS,
    )
    assert solution.ys is not None
    states: State = jax.vmap(state_of)(solution.ys)

    def completions(state: State) -> jax.Array:
        solo, mixed = decode_ends(rates, targets, state)
        return solo + mixed

    completed = jax.vmap(completions)(states)
    read = rates.mu_p * states.prefilling * instance.prompt
    generated = completed * instance.decode
    path = FluidPath(
        times=times,
        occupancy=Occupancy(
            states.waiting, states.prefilling, states.buffered.sum(-2), states.mixed, states.solo
        ),
        completed=completed,
        bundled=completed @ rates.w,
        separate=instance.price_prompt * read.sum(-1) + instance.price_decode * generated.sum(-1),
        notes=(),
    )
    return path, jnp.abs(change(solution.ys[-1])).max()


def _real(leaf: Any) -> jax.Array:
    leaf = jnp.asarray(leaf)
    return leaf if leaf.dtype == bool else leaf.astype(jnp.float64)


def _times(save_at: int | Sequence[float] | np.ndarray, seconds: float) -> np.ndarray:
    if isinstance(save_at, int):
        if save_at < 2:
            raise InputError(f"`save_at` must be at least 2 times, got {save_at}.")
        return np.linspace(0.0, seconds, save_at)
    times = np.asarray(save_at, float)
    good = times.ndim == 1 and len(times) > 0 and (np.diff(times) > 0.0).all()
    if not good or not (times[0] >= 0.0 and times[-1] <= seconds):
        raise InputError(f"`save_at` must be ascending times in [0, {seconds:g}], got {save_at}.")
    return times


def _check_start(start: Occupancy, classes: int) -> None:
    for name, given in start._asdict().items():
        counts = np.asarray(given, float)
        if counts.shape != (classes,) or not (np.isfinite(counts) & (counts >= 0.0)).all():
            raise InputError(
                f"`start.{name}` must be one number of at least 0 for each of {classes} classes, "
                f"got {given}."
            )


def _notes(change: float) -> tuple[str, ...]:
    if change <= _AT_REST:
        return ()
    return (
        f"The path does not end at rest: a number of requests still changes by {change:.2g} a GPU "
        "and second. Integrate for longer; where nobody abandons a queue may grow for ever.",
    )
