"""Random instances of the published ranges, and instances at another load or unit of time."""

from typing import NamedTuple

import numpy as np

from lpo.errors import InputError
from lpo.serve.instance import Instance, make_hardware, make_instance
from lpo.serve.plans.knapsack import load

ALPHA_S = (0.015, 0.02)
BETA_S = (1e-5, 1e-3)
GAMMA_PER_S = (10.0, 50.0)
TOKENS = (200.0, 3000.0)
ARRIVAL_PER_S = (0.25, 0.5)
"""Ranges of arXiv 2602.02987, numerical section, uniform: alpha (printed as "0.15 to 0.02"), beta,
gamma, prompt and decode, arrivals per GPU and second of each class."""


class RandomInstances(NamedTuple):
    """Instances as they were drawn. draws: in all. faster_mixed: of these, with decoding faster
    beside a prefill than without, where the theory does not hold; they have been drawn again."""

    instances: list[Instance]
    draws: int
    faster_mixed: int


def random_instances(
    seed: int, number: int, classes: int, *, like: Instance, most_draws: int = 10_000
) -> RandomInstances:
    """Return random instances with batch, chunk, prices and (mean) patience of `like`.

    A draw with tau / tau_solo below (batch - 1) / batch is refused and counted. Raises InputError
    where `most_draws` do not give `number` instances.
    """
    rng = np.random.default_rng(seed)
    found: list[Instance] = []
    draws = 0
    while len(found) < number and draws < most_draws:
        instance = _drawn(rng, classes, like)
        draws += 1
        hardware = instance.hardware
        tau = hardware.alpha + hardware.beta * hardware.chunk
        if tau / hardware.tau_solo >= (hardware.batch - 1) / hardware.batch:
            found.append(instance)
    if len(found) < number:
        raise InputError(
            f"`number` = {number} instances with tau / tau_solo of at least (batch - 1) / batch "
            f"are not among {most_draws} draws at chunk {like.hardware.chunk}."
        )
    return RandomInstances(found, draws, draws - number)


def at_load(instance: Instance, wanted: float) -> Instance:
    """Return the instance with all arrivals scaled so that its load is `wanted`."""
    return instance._replace(arrival=instance.arrival * (wanted / load(instance)))


def in_units_of(instance: Instance, seconds: float) -> Instance:
    """Return the same instance with time in units of `seconds`; money per unit grows with it."""
    hardware = instance.hardware
    return instance._replace(
        arrival=instance.arrival * seconds,
        patience=instance.patience * seconds,
        hardware=hardware._replace(
            alpha=hardware.alpha / seconds,
            beta=hardware.beta / seconds,
            tau_solo=hardware.tau_solo / seconds,
        ),
    )


def _drawn(rng: np.random.Generator, classes: int, like: Instance) -> Instance:
    hardware = make_hardware(
        batch=like.hardware.batch,
        chunk=like.hardware.chunk,
        alpha=rng.uniform(*ALPHA_S),
        beta=rng.uniform(*BETA_S),
        tau_solo=1.0 / rng.uniform(*GAMMA_PER_S),
    )
    return make_instance(
        prompt=rng.uniform(*TOKENS, classes),
        decode=rng.uniform(*TOKENS, classes),
        arrival=rng.uniform(*ARRIVAL_PER_S, classes),
        patience=float(np.mean(like.patience)),
        hardware=hardware,
        price_prompt=like.price_prompt,
        price_decode=like.price_decode,
    )
