"""Arms of the product: a model on a class of GPUs, served by a route. docs/bandit_product.md."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import Instance
from lpo.errors import InputError
from lpo.serve.instance import Hardware, make_hardware
from lpo.serve.iteration_time import hardware_of
from lpo.serve.readers import PublishedFit

TASKS = ("conversation", "code")
"""Task classes of requests, in the order of all pairs [2]."""

QUERY_TYPES = ("Summarization", "Code_Gen")
"""Query types of lpo.allocate's instances that stand for the two."""


class Route(NamedTuple):
    """How a pool of replicas is run. batch: streams that one decodes at once. chunk: prompt tokens
    that an iteration reads. busy: share of time in which a prefill is on, at mean load. most_load:
    above which the pool takes nobody, in mean loads; infinite: it always does."""

    name: str
    batch: int
    chunk: int
    busy: float
    most_load: float


FAST = Route("fast", batch=8, chunk=256, busy=0.2, most_load=1.1)
PACKED = Route("packed", batch=32, chunk=512, busy=0.45, most_load=np.inf)


class Deployment(NamedTuple):
    """An arm. gpu: class of GPUs, without precision. hardware: of a replica, as lpo.serve takes it.
    usd_per_hour: rent of a replica. quality: of the answers to each task, [2]; 1 is free of errors,
    1/2 as many of them as are tolerated."""

    model: str
    gpu: str
    precision: str
    tensor_parallel: int
    route: Route
    hardware: Hardware
    usd_per_hour: float
    quality: tuple[float, float]

    @property
    def name(self) -> str:
        """Such as Llama-3.1-8B/H100_FP16x2/fast."""
        where = f"{self.gpu}_{self.precision}x{self.tensor_parallel}"
        return f"{self.model}/{where}/{self.route.name}"


class Choice(NamedTuple):
    """What to deploy, by names of an instance."""

    model: str
    tier: str
    tensor_parallel: int
    route: Route


CHOICES = (
    Choice("Llama-3.1-8B", "RTX_4090_INT8", 1, FAST),
    Choice("Llama-3.1-8B", "A100_40GB_FP16", 1, PACKED),
    Choice("Llama-3.1-8B", "H100_FP16", 1, PACKED),
    Choice("Llama-3.2-31B", "A100_40GB_INT8", 2, FAST),
    Choice("Llama-3.2-31B", "H100_FP16", 2, PACKED),
    Choice("Llama-3.2-31B", "H100_FP16", 2, FAST),
    Choice("Llama-3.1-70B", "A100_40GB_INT8", 4, FAST),
    Choice("Llama-3.1-70B", "H100_FP16", 4, PACKED),
)
"""Eight arms of lpo.allocate's preset `catalog`: three models, three classes of GPUs."""


def deployments_of(
    instance: Instance,
    choices: Sequence[Choice] = CHOICES,
    query_types: tuple[str, str] = QUERY_TYPES,
) -> tuple[Deployment, ...]:
    """Return arms with the numbers of an instance of lpo.allocate.

    **Arguments:**

    - `instance`: such as `generate("catalog")`; in physical units.
    - `choices`: of models, tiers, degrees and routes.
    - `query_types`: of the instance, that stand for `TASKS`.

    Delays of a token follow from d_bar, which mixes prompt and output in the proportion of each
    query type; tensor parallelism divides them, as there. An iteration with a chunk takes what its
    chunk + batch - 1 tokens take to compute, and at least what reading the weights takes.

    **Raises:** InputError on names and degrees that the instance has not, on a choice whose weights
    do not fit, and on an instance with fewer than two mixes of prompt and output.
    """
    types = [_place(instance.query_types, "query type", name) for name in query_types]
    error = np.asarray(instance.data.error_rate)[types]
    errors = error / np.asarray(instance.data.error_limit)[types][:, None, None]
    read_s, write_s = _token_times(instance)
    made = [_deployment(instance, choice, errors, read_s, write_s) for choice in choices]
    names = [each.name for each in made]
    if not made or len(set(names)) < len(names):
        raise InputError(f"`choices` must be different and at least one, got {names}.")
    return tuple(made)


def measured(deployment: Deployment, fit: PublishedFit) -> Deployment:
    """Return the deployment with iteration times of a calibration, at its route's batch and chunk.

    Raises InputError where the fit is of another degree of tensor parallelism.
    """
    if fit.tensor_parallel != deployment.tensor_parallel:
        raise InputError(
            f"fit {fit.name}: must be of tensor parallelism {deployment.tensor_parallel} as "
            f"{deployment.name} is, got {fit.tensor_parallel}."
        )
    route = deployment.route
    times = fit.table or fit.iteration_time
    return deployment._replace(hardware=hardware_of(times, batch=route.batch, chunk=route.chunk))


def _deployment(
    instance: Instance,
    choice: Choice,
    errors: np.ndarray,
    read_s: np.ndarray,
    write_s: np.ndarray,
) -> Deployment:
    model = _place(instance.models, "model", choice.model)
    tier = _place(instance.tiers, "tier", choice.tier)
    n, route = choice.tensor_parallel, choice.route
    if n not in instance.tensor_parallel:
        degrees = ", ".join(map(str, instance.tensor_parallel))
        raise InputError(f"`tensor_parallel` must be one of {degrees}, got {n}.")
    room = n * float(instance.data.memory_gb[tier])
    weights = float(instance.data.weights_gb[model])
    if weights >= room:
        raise InputError(
            f"{choice.model} has {weights:g} GB of weights, and {n} x {choice.tier} {room:g} GB."
        )
    beta, solo = read_s[model, tier] / n, write_s[model, tier] / n
    mixed = max(solo, beta * (route.chunk + route.batch - 1))
    gpu, precision = choice.tier.rsplit("_", 1)
    conversation, code = 1.0 - 0.5 * errors[:, model, tier]
    return Deployment(
        choice.model,
        gpu,
        precision,
        n,
        route,
        make_hardware(
            batch=route.batch,
            chunk=route.chunk,
            alpha=mixed - beta * route.chunk,
            beta=beta,
            tau_solo=solo,
        ),
        n * float(instance.data.price_usd_per_hour[tier]),
        (float(conversation), float(code)),
    )


def _token_times(instance: Instance) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of a token that is read and of one that is written on one GPU, [J, K] each: what all
    query types' delays follow from, by least squares."""
    data = instance.data
    mixes = np.stack([data.input_tokens, data.output_tokens], axis=-1)  # [I, 2]
    if np.linalg.matrix_rank(mixes) < 2:
        raise InputError(
            f"instance {instance.name}: two query types must differ in the ratio of prompt to "
            "output, or times of the two cannot be told apart."
        )
    query_s = np.asarray(data.delay_ms_per_token) * mixes.sum(-1)[:, None, None] / 1e3
    found = np.linalg.lstsq(mixes, query_s.reshape(len(mixes), -1), rcond=None)[0]
    return found[0].reshape(query_s.shape[1:]), found[1].reshape(query_s.shape[1:])


def _place(names: Sequence[str], what: str, name: str) -> int:
    if name not in names:
        raise InputError(f"{what} {name!r}: must be one of {', '.join(names)}.")
    return list(names).index(name)
