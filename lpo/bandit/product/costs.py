"""Money and waiting that a request costs on each arm. docs/bandit_product.md, "Rewards".

Array operators only, so that the same lines serve NumPy and JAX.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lpo.allocate.instance import Instance
from lpo.bandit.product.contexts import CODE, INTERACTIVE, LOAD, PRICE, PROMPT
from lpo.bandit.product.deployments import QUERY_TYPES, Deployment
from lpo.errors import InputError
from lpo.serve.instance import make_instance
from lpo.serve.rates import service_rates

_MOST_BUSY = 0.95  # where the queue of prefills ends to grow: somebody would add replicas


class Economics(NamedTuple):
    """value_usd: of a good answer to each task, [2]. wait_usd_per_s: of a second until it is
    complete, [2]. urgency: of batch and of interactive requests, times that price, [2]."""

    value_usd: tuple[float, float]
    wait_usd_per_s: tuple[float, float]
    urgency: tuple[float, float] = (1.0, 10.0)


class Costs(NamedTuple):
    """Of each arm, [K]. read_usd, write_usd: of a token at list price. read_s: of a prompt token.
    write_s: of an output token while nobody reads, slower_s: what it takes longer while somebody
    does. queue_s: prefill of a mean prompt. busy: share of time with a prefill, at mean load."""

    read_usd: Any
    write_usd: Any
    read_s: Any
    write_s: Any
    slower_s: Any
    queue_s: Any
    busy: Any


class Bill(NamedTuple):
    """Of requests on each arm, [..., K]. money, wait: in values of a good answer. latency_s: from
    arrival to the last token."""

    money: Any
    wait: Any
    latency_s: Any


def economics_of(
    instance: Instance,
    query_types: tuple[str, str] = QUERY_TYPES,
    urgency: tuple[float, float] = (1.0, 10.0),
) -> Economics:
    """Return the prices of an instance of lpo.allocate: a dropped query's is the value of an
    answer, rho that of waiting.

    Raises InputError on a query type that the instance has not, a value of 0, and a negative
    urgency.
    """
    types = []
    for name in query_types:
        if name not in instance.query_types:
            raise InputError(f"query type {name!r}: must be one of {instance.query_types}.")
        types.append(instance.query_types.index(name))
    value = [float(instance.data.unmet_usd[i]) for i in types]
    wait = [1e3 * float(instance.data.delay_usd_per_ms[i]) for i in types]
    if min(value) <= 0.0:
        raise InputError(f"`unmet_usd` of {query_types} must be positive, got {value}.")
    if not all(0.0 <= each < np.inf for each in urgency):
        raise InputError(f"`urgency` must be finite and not negative, got {urgency}.")
    return Economics((value[0], value[1]), (wait[0], wait[1]), urgency)


def costs_of(deployments: Sequence[Deployment], mean_prompt: float) -> Costs:
    """Return what tokens cost on each arm, by the rates of lpo.serve.

    A request takes D + kappa P decode tokens of what a replica can do, batch / tau_solo a second:
    its share of the rent. A prompt token takes tau / chunk seconds, an output token tau_solo or,
    while a prompt is read, tau. mean_prompt: tokens, for the queue.
    """
    columns = []
    for each in deployments:
        hardware = each.hardware
        rates = service_rates(
            make_instance(
                arrival=[0.0],
                prompt=1.0,
                decode=1.0,
                patience=0.0,
                hardware=hardware,
                price_prompt=0.0,
                price_decode=0.0,
            )
        )
        write_usd = each.usd_per_hour / 3600.0 / (hardware.batch * rates.gamma)
        read_s = rates.tau / hardware.chunk
        slower_s = rates.tau - hardware.tau_solo
        row = rates.kappa * write_usd, write_usd, read_s, hardware.tau_solo, slower_s
        columns.append((*row, mean_prompt * read_s, each.route.busy))
    return Costs(*np.asarray(columns, np.float64).T)


def bill_of(costs: Costs, economics: Economics, values: Any, output: Any) -> Bill:
    """Return what requests cost at list prices. values: contexts, [..., 6]. output: tokens written,
    [...].

    One prefill at a time on a replica: a queue M/M/1 with the utilisation rho = busy x load, .95 at
    the most, so that a request waits rho / (1 - rho) mean prefills; a share rho of its output is
    written beside somebody's prefill.
    """
    code, load = values[..., CODE], values[..., LOAD]
    value = _of_task(economics.value_usd, code)
    hurry = hurry_of(economics, values)
    prompt, written = values[..., PROMPT, None], output[..., None]
    rho = costs.busy * load[..., None]
    rho = rho - (rho - _MOST_BUSY) * (rho > _MOST_BUSY)
    token_s = costs.write_s + rho * costs.slower_s
    latency_s = costs.queue_s * rho / (1.0 - rho) + prompt * costs.read_s + written * token_s
    dollars = (values[..., PRICE] / value)[..., None]
    money = dollars * (prompt * costs.read_usd + written * costs.write_usd)
    return Bill(money, hurry[..., None] * latency_s, latency_s)


def value_of(economics: Economics, values: Any) -> Any:
    """Return the value of a good answer, $, [...]."""
    return _of_task(economics.value_usd, values[..., CODE])


def hurry_of(economics: Economics, values: Any) -> Any:
    """Return the price of a second of waiting, in values of a good answer, [...]."""
    code, interactive = values[..., CODE], values[..., INTERACTIVE]
    wait = _of_task(economics.wait_usd_per_s, code)
    batch, live = economics.urgency
    return (batch + (live - batch) * interactive) * wait / value_of(economics, values)


def _of_task(pair: tuple[float, float], code: Any) -> Any:
    return pair[0] + (pair[1] - pair[0]) * code
