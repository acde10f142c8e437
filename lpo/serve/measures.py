"""What a simulated fleet earned and how it treated its requests. docs/serve_simulators.md."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lpo.serve.instance import Instance
from lpo.serve.plans.program import Pricing
from lpo.serve.rates import service_rates
from lpo.serve.totals import Totals


class Estimate(NamedTuple):
    """A mean and its standard error; arrays of equal shape, or numbers."""

    mean: np.ndarray
    error: np.ndarray


class Measures(NamedTuple):
    """Of a fleet over all windows and seeds; per GPU and second where it says per GPU.

    reward: of the plan's pricing, from intensities. reward_counted: the same from completions.
    reward_controlled: `reward` less what follows from chance in the numbers of arrivals.
    reward_bundled, reward_separate: from intensities, whatever the plan's pricing, currency per
    GPU. throughput, prompt_tokens, decode_tokens: tokens read and generated per GPU, and both.
    completed: requests per GPU. abandonment: share of arrivals that is gone without service.
    prefill_use: share of GPUs that prefill. decode_use: decodes over batch slots. waiting_prefill,
    waiting_decode: requests per GPU. least_served: smallest share of a class's arrivals that is
    completed. jain: fairness index of these shares (Jain, Chiu and Hawe, 1984), 1 when all equal.
    """

    reward: Estimate
    reward_counted: Estimate
    reward_controlled: Estimate
    reward_bundled: Estimate
    reward_separate: Estimate
    throughput: Estimate
    prompt_tokens: Estimate
    decode_tokens: Estimate
    completed: Estimate
    abandonment: Estimate
    prefill_use: Estimate
    decode_use: Estimate
    waiting_prefill: Estimate
    waiting_decode: Estimate
    least_served: Estimate
    jain: Estimate


def rewards(
    totals: Totals, instance: Instance, pricing: Pricing | str, *, counted: bool = False
) -> np.ndarray:
    """Return what was earned, [...], currency: by intensities, or by what was completed.

    Both have the same mean in steady state; the integral of the intensity has less variance
    (arXiv 2602.02987, revenue; a completion is replaced by its conditional mean).
    """
    rates = service_rates(instance)
    prefilled = totals.prefilled if counted else rates.mu_p * totals.time.prefilling
    completed = totals.completed if counted else totals.completing
    if Pricing(pricing) == Pricing.BUNDLED:
        return completed @ rates.w
    prompts, decodes = instance.price_prompt * instance.prompt, instance.price_decode
    return prefilled @ prompts + completed @ (decodes * instance.decode)


def batch_means(
    totals: Totals, ratio: Callable[[Totals], tuple[np.ndarray, np.ndarray]]
) -> Estimate:
    """Return sum of numerators over sum of denominators and its standard error.

    totals: [..., seeds, windows, I]; `ratio` gives a numerator and a denominator [..., seeds,
    windows], or with a last axis of classes. The error comes from the means of the seeds, or of
    the windows where there is one seed (batch means: windows must be long against the system's
    memory), by linearisation of the ratio. Not a number for one seed and one window.
    """
    over, under = (np.asarray(part, np.float64) for part in ratio(totals))
    over, under = np.broadcast_arrays(over, under)
    first = np.ndim(totals.seconds) - 2
    if over.shape[first] > 1:
        over, under = over.sum(first + 1), under.sum(first + 1)
    else:
        over, under = over.take(0, first), under.take(0, first)
    count = over.shape[first]
    total = under.sum(first)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(total > 0.0, over.sum(first) / total, np.nan)
        rest = over - np.expand_dims(mean, first) * under
        spread = np.sqrt((rest**2).sum(first) * count / (count - 1.0)) if count > 1 else np.nan
        error = spread / total
    return Estimate(mean, error + 0.0 * mean)


def control_variate(totals: Totals, values: np.ndarray, arrival: np.ndarray) -> Estimate:
    """Return the rate of `values` [seeds, windows] with the arrivals as control variates.

    arrival [I]: their known rates, requests of the whole fleet per second. Values are regressed on
    the arrivals of each class in their window, and the means are moved to the known ones (Lavenberg
    and Welch, "A perspective on the use of control variables", 1981). Like `batch_means` where
    there are not twice as many windows as classes.
    """
    seconds = totals.seconds.reshape(-1)
    known = arrival > 0.0
    excess = totals.arrivals.reshape(len(seconds), -1) / seconds[:, None] - arrival
    return _controlled(totals, values, excess[:, known])


def flow_variate(totals: Totals, values: np.ndarray, instance: Instance, gpus: int) -> Estimate:
    """Return the rate of `values` [seeds, windows] with the flow out of the system as control.

    In steady state a class leaves, complete or not, at the rate at which it arrives, n lambda; by
    intensities it leaves at mu Y + theta Q. The difference has mean 0, and follows what chance does
    in the same window, while arrivals show later (*ours*): where nearly everybody is served the
    error falls by an order of magnitude, with the credit gate at a load of 2 still by half. Classes
    that never abandon need not have a steady state, and are left out. Otherwise as
    `control_variate`; the totals must be of a fleet that has warmed up.
    """
    seconds = totals.seconds.reshape(-1)
    known = (instance.arrival > 0.0) & (instance.patience > 0.0)
    waiting = totals.time.waiting_prefill + totals.time.waiting_decode
    leaving = totals.completing + instance.patience * waiting
    excess = leaving.reshape(len(seconds), -1) / seconds[:, None] - gpus * instance.arrival
    return _controlled(totals, values, excess[:, known])


def _controlled(totals: Totals, values: np.ndarray, excess: np.ndarray) -> Estimate:
    """The rate of `values` less its regression on `excess` [windows, controls], of mean 0."""
    plain = batch_means(totals, lambda _: (values, totals.seconds))
    if len(excess) < 2 * (excess.shape[1] + 1):
        return plain
    rate = values.reshape(-1) / totals.seconds.reshape(-1)
    design = np.column_stack([np.ones(len(rate)), excess])
    slopes = np.linalg.lstsq(design, rate, rcond=None)[0][1:]
    moved = (rate - excess @ slopes).reshape(values.shape) * totals.seconds
    return batch_means(totals, lambda _: (moved, totals.seconds))


def measure(
    totals: Totals, instance: Instance, gpus: int, pricing: Pricing | str = Pricing.BUNDLED
) -> Measures:
    """Return the measures of a fleet of `gpus` GPUs from totals [seeds, windows, I]."""
    per_gpu = gpus * totals.seconds
    batch = float(instance.hardware.batch)
    lost = totals.left_prefill + totals.left_decode

    def of(values: np.ndarray) -> Estimate:
        return batch_means(totals, lambda _: (values, per_gpu))

    def earned(scheme: Pricing | str, counted: bool = False) -> Estimate:
        return of(rewards(totals, instance, scheme, counted=counted))

    read, generated = totals.prefilled @ instance.prompt, totals.completed @ instance.decode
    return Measures(
        reward=earned(pricing),
        reward_counted=earned(pricing, counted=True),
        reward_controlled=control_variate(
            totals, rewards(totals, instance, pricing) / gpus, gpus * instance.arrival
        ),
        reward_bundled=earned(Pricing.BUNDLED),
        reward_separate=earned(Pricing.SEPARATE),
        throughput=of(read + generated),
        prompt_tokens=of(read),
        decode_tokens=of(generated),
        completed=of(totals.completed.sum(-1)),
        abandonment=batch_means(totals, lambda t: (lost.sum(-1), t.arrivals.sum(-1))),
        prefill_use=of(totals.time.prefilling.sum(-1)),
        decode_use=of((totals.time.mixed + totals.time.solo).sum(-1) / batch),
        waiting_prefill=of(totals.time.waiting_prefill.sum(-1)),
        waiting_decode=of(totals.time.waiting_decode.sum(-1)),
        **_fairness(totals),
    )


def _fairness(totals: Totals) -> dict[str, Estimate]:
    """By class shares of each seed (each window for one seed)."""
    along = 1 if totals.seconds.shape[0] > 1 else 0
    arrivals, completed = totals.arrivals.sum(along), totals.completed.sum(along)
    came = arrivals.sum(0) > 0.0
    shares = completed[:, came] / np.maximum(arrivals[:, came], 1.0)
    squares = np.maximum((shares**2).sum(-1), 1e-30) * came.sum()
    each = {"least_served": shares.min(-1), "jain": shares.sum(-1) ** 2 / squares}
    count = len(shares)
    return {
        name: Estimate(
            np.asarray(values.mean()),
            np.asarray(values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan),
        )
        for name, values in each.items()
    }
