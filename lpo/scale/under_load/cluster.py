"""The cluster that passes are served on, what it is given and what a pass takes of it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.scale.models import Models
from lpo.scale.passes import Pairs, PassMoments, pass_moments
from lpo.serve import (
    Hardware,
    Instance,
    IterationTime,
    TwoRegime,
    hardware_of,
    load,
    make_instance,
    service_rates,
)
from lpo.serve.policies import Policy, policy_named


class Cluster(NamedTuple):
    """queries_per_s: q, of the whole cluster. gpus: n. gpu_hour_usd: dollars for a GPU and hour.
    policy: by which it is run. hardware: of a GPU, its batch and chunk. times: of an iteration."""

    queries_per_s: float
    gpus: int
    gpu_hour_usd: float
    policy: Policy
    hardware: Hardware
    times: IterationTime

    @property
    def usd_per_s(self) -> float:
        """What one GPU costs a second."""
        return self.gpu_hour_usd / 3600.0


def make_cluster(
    *,
    queries_per_s: float,
    gpus: int,
    gpu_hour_usd: float,
    policy: str,
    hardware: Hardware,
    times: IterationTime | None = None,
) -> Cluster:
    """Return a checked cluster; the arguments are the fields of `Cluster`.

    times None: those of the hardware, which do not grow with the cache. Raises InputError on
    numbers that are not positive, GPUs that are no whole number, and an unknown policy.
    """
    for name, number in (("queries_per_s", queries_per_s), ("gpu_hour_usd", gpu_hour_usd)):
        if not (np.isfinite(number) and number > 0.0):
            raise InputError(f"`{name}` must be positive and finite, got {number}.")
    if not (np.isfinite(gpus) and gpus >= 1 and gpus == int(gpus)):
        raise InputError(f"`gpus` must be a whole number of at least 1, got {gpus}.")
    if times is None:
        times = TwoRegime(hardware.alpha, hardware.beta, hardware.tau_solo)
    return Cluster(queries_per_s, int(gpus), gpu_hour_usd, policy_named(policy), hardware, times)


def mean_lengths(models: Models, pairs: Pairs | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean tokens of prompt and output, [m] each, at least 1, clips of lengths included."""
    one = moments_at_prices(models, 1.0, 0.0, pairs), moments_at_prices(models, 0.0, 1.0, pairs)
    prompt, output = (np.maximum(each.cost, 1.0) for each in one)
    return prompt, output


def moments_at_prices(
    models: Models, input_price: Any, output_price: Any, pairs: Pairs | None = None
) -> PassMoments:
    """Return `pass_moments` at prices [m] or [] in place of the models' own; NumPy float64 [m]."""
    priced = models._replace(input_price=input_price, output_price=output_price)
    leaves = np.broadcast_arrays(*(np.atleast_1d(leaf) for leaf in priced))
    with jax.enable_x64(True):
        given = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (Models(*leaves), pairs))
        return jax.tree.map(np.asarray, _pass_moments(*given))


_pass_moments = jax.jit(pass_moments)


def instance_under_load(cluster: Cluster, prompt: float, output: float, k: float) -> Instance:
    """Return what the cluster is given if every query asks for k passes of such mean tokens.

    One class, q k / n passes per GPU and second, nobody leaves, and a request pays its tokens. The
    plan's iteration times are those of a full batch with half of each output in the cache, which is
    what counts where the load is near 1.
    """
    given = cluster.hardware
    batch = int(given.batch)
    full = batch * (prompt + 0.5 * output)
    hardware = hardware_of(cluster.times, batch=batch, chunk=int(given.chunk), kv_tokens=full)
    return make_instance(
        arrival=[cluster.queries_per_s * k / cluster.gpus],
        prompt=prompt,
        decode=output,
        patience=0.0,
        hardware=hardware,
        price_prompt=1.0,
        price_decode=1.0,
    )


def token_prices(cluster: Cluster, prompt: float, output: float) -> tuple[float, float]:
    """Return dollars per prompt token and per output token on GPUs that are full.

    What a pass takes is what it adds to `lpo.serve.load`: (output + kappa prompt) tau_solo / batch
    seconds of a GPU, or prompt tau / chunk where prefills are what GPUs have too little of
    (docs/serve.md, "Closed form"). Both are linear in the tokens of the pass.
    """
    instance = instance_under_load(cluster, prompt, output, 1.0)
    rates, hardware = service_rates(instance), instance.hardware
    decode_s = hardware.tau_solo / hardware.batch
    prefill_s = rates.tau / hardware.chunk
    seconds = rates.kappa * decode_s, decode_s
    if prefill_s * prompt > seconds[0] * prompt + seconds[1] * output:
        seconds = prefill_s, 0.0
    return cluster.usd_per_s * float(seconds[0]), cluster.usd_per_s * float(seconds[1])


def loads(cluster: Cluster, prompt: float, output: float, k: Any) -> np.ndarray:
    """Return `lpo.serve.load` with each of k passes a query, [K]: at 1 all GPUs are full."""
    of_one = load(instance_under_load(cluster, prompt, output, 1.0))
    return of_one * np.asarray(k, np.float64)


def unloaded_s(cluster: Cluster, prompt: int, output: int) -> float:
    """Return how long a pass of so many tokens takes on a GPU of its own, s: the iterations that
    read its prompt in chunks, then one for each token of its output."""
    return sum(_alone(cluster, prompt, output))


def seconds_per_token(cluster: Cluster, prompt: float, output: float) -> tuple[float, float]:
    """Return the seconds of a prompt token and of an output token on a GPU of its own, of a pass of
    such mean tokens: `unloaded_s` as the straight line in tokens that `lpo.scale` is made for."""
    whole = max(round(prompt), 1), max(round(output), 1)
    read, written = _alone(cluster, *whole)
    return read / whole[0], written / whole[1]


def _alone(cluster: Cluster, prompt: int, output: int) -> tuple[float, float]:
    """Seconds of reading and of writing."""
    times, chunk = cluster.times, int(cluster.hardware.chunk)
    read = np.arange(0, prompt, chunk)
    prefill = np.asarray(times.mixed(np.minimum(chunk, prompt - read), 0, read), np.float64)
    decode = np.asarray(times.solo(1, prompt + np.arange(output)), np.float64)
    return float(prefill.sum()), float(decode.sum())
