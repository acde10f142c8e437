"""Instances of known bias, on which policies are compared. docs/bandit.md, "Instance families"."""

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.bandit.assumptions import Assumptions, make_assumptions
from lpo.bandit.certificate import Certificate
from lpo.bandit.environment import Environment, Round, constant
from lpo.bandit.offline import Offline, offline_sums

NOTHING = 1e-4
"""Budget of arms where none is said to have changed."""

_MARGIN = 1.06  # of what is known of norms: B = 1.5 for eight arms of norm 1/2


class Case(StrEnum):
    """What has changed since the log, and what it covers.

    zero_shift: nothing. small_shift: every arm a little. aligned: two arms much, which the log
    hardly saw. full_coverage: the same, and the log saw all arms alike. misaligned: the log saw
    little but the two arms, which now bring the opposite. adversarial: all arms bring the
    opposite, and the certificate says so. false_certificate: the same, and it says that nothing
    changed.
    """

    ZERO_SHIFT = "zero_shift"
    SMALL_SHIFT = "small_shift"
    ALIGNED = "aligned"
    FULL_COVERAGE = "full_coverage"
    MISALIGNED = "misaligned"
    ADVERSARIAL = "adversarial"
    FALSE_CERTIFICATE = "false_certificate"


class Shift(NamedTuple):
    """Of each arm, [K]. moved: norm of the change in a random direction. opposite: whether the log
    holds the opposite of the truth. claimed: budget of the certificate. seen: how often the log saw
    it, relative to the others."""

    moved: np.ndarray
    opposite: np.ndarray
    claimed: np.ndarray
    seen: np.ndarray


class Drawn(NamedTuple):
    """An instance. theta: truth, [K, c]. offline: sums of its log."""

    theta: jax.Array
    offline: Offline


def shift_of(case: Case, arms: int, norm: float) -> Shift:
    """Return what a case says of `arms` arms whose parameters have a norm of `norm`."""
    last = np.arange(arms) >= arms - 2
    none, every = np.zeros(arms), np.ones(arms)
    nothing = every * NOTHING
    match case:
        case Case.ZERO_SHIFT:
            return Shift(none, none > 0, nothing, every)
        case Case.SMALL_SHIFT:
            return Shift(every * 0.05, none > 0, every * 0.05, every)
        case Case.ALIGNED | Case.FULL_COVERAGE:
            seen = np.where(last, 0.05, 1.0) if case is Case.ALIGNED else every
            return Shift(last * 0.8, none > 0, last * 0.8, seen)
        case Case.MISALIGNED:
            return Shift(none, last, last * 2.0 * norm, np.where(last, 1.0, 0.02))
        case Case.ADVERSARIAL:
            return Shift(none, none == 0, every * 2.0 * norm, every)
        case Case.FALSE_CERTIFICATE:
            return Shift(none, none == 0, nothing, every)


@cache
def disjoint_family(
    case: Case,
    arms: int = 8,
    features: int = 4,
    rows: int = 8000,
    noise: float = 0.5,
    norm: float = 0.5,
    available: float = 1.0,
    most_delay: int = 0,
    regularisation: float = 1.0,
    delta: float = 0.01,
) -> Environment:
    """Arms with parameters of their own, all of one norm, and a context that all share: its first
    entry is 1.5 before it is normalised, the others are normal.

    **Arguments:**

    - `case`: of the log, which has `rows`.
    - `noise`: standard deviation of rewards, online and in the log.
    - `available`: with which probability an arm exists in a round; one always does.
    - `most_delay`: rewards are seen after 0 to so many rounds, all as likely.
    - `regularisation`, `delta`: of the assumptions, whose bounds on norms are 6 % wide.
    """
    shift = shift_of(Case(case), arms, norm)
    seen = np.log(shift.seen / shift.seen.sum())
    budgets = shift.claimed[None, :, None, None] ** 2 * np.eye(features)

    def draw(key: jax.Array) -> Drawn:
        keys = jax.random.split(key, 5)
        theta = norm * directions(keys[0], arms, features)
        bias = constant(shift.moved)[:, None] * directions(keys[1], arms, features)
        logged = jnp.where(constant(shift.opposite)[:, None], -theta, theta + bias)
        z = _contexts(keys[2], rows, features)
        arm = jax.random.categorical(keys[3], constant(seen), shape=(rows,))
        y = (z * logged[arm]).sum(-1) + noise * jax.random.normal(keys[4], (rows,))
        return Drawn(theta, offline_sums(z, y, arm, arms))

    return Environment(
        draw,
        lambda instance: instance.offline,
        lambda instance: Certificate(constant(budgets)),
        _disjoint_rounds(arms, features, noise, available, most_delay),
        _assumptions(regularisation, delta, noise, norm, shift.moved),
        arms,
        arms,
        features,
        most_delay,
    )


@cache
def _disjoint_rounds(
    arms: int, features: int, noise: float, available: float, most_delay: int
) -> Callable[[Drawn, jax.Array], Round]:
    """`Environment.play` of all cases: one function, for which programs are compiled once."""

    def play(instance: Drawn, key: jax.Array) -> Round:
        of_context, of_noise, of_arms, of_delay = jax.random.split(key, 4)
        context = _contexts(of_context, 1, features)[0]
        means = instance.theta @ context
        return Round(
            jnp.broadcast_to(context, (arms, features)),
            existing(of_arms, arms, available),
            means,
            means + noise * jax.random.normal(of_noise),
            jax.random.randint(of_delay, (), 0, most_delay + 1),
        )

    return play


def _contexts(key: jax.Array, count: int, features: int) -> jax.Array:
    drawn = jax.random.normal(key, (count, features)).at[:, 0].set(1.5)
    return drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True)


def _assumptions(
    regularisation: float, delta: float, noise: float, norm: float, moved: np.ndarray
) -> Assumptions:
    """Bounds on norms, of theta and of what the log holds, a little wider than they are."""
    bound, off = norm * np.sqrt(len(moved)), norm + moved
    return make_assumptions(
        regularisation=regularisation,
        delta=delta,
        noise=noise,
        bound=float(_MARGIN * bound),
        bound_off=float(_MARGIN * np.linalg.norm(off)),
        block_bound=norm,
        block_bound_off=float(off.max()),
    )


def existing(key: jax.Array, arms: int, available: float) -> jax.Array:
    """Return which arms exist in a round, [K] bool; the likeliest one where chance leaves none."""
    if available >= 1.0:
        return jnp.ones(arms, bool)
    drawn = jax.random.uniform(key, (arms,))
    return (drawn < available) | (drawn == drawn.min())


def directions(key: jax.Array, count: int, dimension: int) -> jax.Array:
    """Return `count` random directions, [count, dimension]."""
    drawn = jax.random.normal(key, (count, dimension))
    return drawn / jnp.linalg.norm(drawn, axis=-1, keepdims=True)
