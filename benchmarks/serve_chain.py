"""Events per second of the aggregated chain, against a plain NumPy loop over events.

    python benchmarks/serve_chain.py [--seeds 64] [--gpus 200]      (4096 seeds on an accelerator)

Both sides simulate the same chain (two classes at load 2.09) with the same policy in one run, warm;
the chain's rate counts all seeds. The cost of an event must not depend on the number of GPUs: the
second group of lines is the same chain at other sizes. The third is the chain of single GPUs with
`fcfs`, whose cost may grow with the logarithm of the fleet.
"""

import argparse
from time import perf_counter

import jax
import numpy as np
from measuring import report

from lpo.serve import Instance, paper_two_class_x2, per_gpu, service_rates
from lpo.serve.aggregated import simulate
from lpo.serve.policies import POLICIES, Gate, Targets, plan_for, targets_of
from lpo.serve.totals import Totals


def events_of(totals: Totals) -> float:
    parts = (
        totals.arrivals,
        totals.left_prefill,
        totals.prefilled,
        totals.left_decode,
        totals.completed,
    )
    return sum(float(part.sum()) for part in parts)


def chain_rate(name: str, gpus: int, seeds: int, seconds: float) -> float:
    policy, instance = POLICIES[name], paper_two_class_x2()
    targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
    keys = jax.random.split(jax.random.key(0), seeds)
    simulate(policy, instance, targets, keys, windows=1, window_s=seconds / 50.0)  # compiles
    best = 0.0
    for _ in range(3):
        start = perf_counter()
        totals = simulate(policy, instance, targets, keys, windows=1, window_s=seconds)
        best = max(best, events_of(totals) / (perf_counter() - start))
    return best


def per_gpu_rate(gpus: int, seeds: int, seconds: float) -> float:
    policy, instance = POLICIES["fcfs"], paper_two_class_x2()
    targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
    run = (policy, instance, targets, jax.random.split(jax.random.key(0), seeds))
    per_gpu.simulate(*run, gpus_max=gpus, windows=1, window_s=seconds / 20.0)  # compiles
    best = 0.0
    for _ in range(3):
        start = perf_counter()
        totals = per_gpu.simulate(*run, gpus_max=gpus, windows=1, window_s=seconds)
        best = max(best, events_of(totals) / (perf_counter() - start))
    return best


def numpy_rate(name: str, gpus: int, events: int = 20_000) -> float:
    """The loop that one would write first: arrays of classes, one event a turn."""
    policy, instance = POLICIES[name], paper_two_class_x2()
    targets = targets_of(policy, instance, plan_for(policy, instance), gpus)
    start = perf_counter()
    numpy_loop(policy.gate, instance, targets, events)
    return events / (perf_counter() - start)


def numpy_loop(gate: Gate, instance: Instance, targets: Targets, events: int) -> np.ndarray:
    """Return the completions [I] of a fleet that begins empty, after so many events."""
    rates, theta = service_rates(instance), instance.patience
    classes, n = len(theta), float(targets.gpus)
    mixed_gpus, batch = float(targets.mixed), instance.hardware.batch
    most_mixed, most_solo = (batch - 1) * mixed_gpus, batch * (n - mixed_gpus)
    waiting, prefilling, queue, mixed, solo, credit, done = np.zeros((7, classes))
    rng = np.random.default_rng(0)
    for _ in range(events):
        busy = prefilling.sum() / mixed_gpus
        speeds = np.concatenate(
            [
                n * instance.arrival,
                theta * waiting,
                rates.mu_p * prefilling,
                theta * queue,
                (busy * rates.mu_m + (1.0 - busy) * rates.mu_s) * mixed,
                rates.mu_s * solo,
            ]
        )
        total = speeds.sum()
        seconds = rng.exponential() / total
        event = int(np.searchsorted(np.cumsum(speeds), rng.random() * total))
        kind, c = divmod(min(event, len(speeds) - 1), classes)
        if kind == 0:
            waiting[c] += 1
        elif kind == 1:
            waiting[c] -= 1
        elif kind == 2:
            prefilling[c] -= 1
            queue[c] += 1
        elif kind == 3:
            queue[c] -= 1
        else:
            (mixed if kind == 4 else solo)[c] -= 1
            done[c] += 1
        if queue.any() and (solo.sum() < most_solo or mixed.sum() < most_mixed):
            pick = rng.choice(classes, p=queue / queue.sum())
            queue[pick] -= 1
            (solo if solo.sum() < most_solo else mixed)[pick] += 1
        credit = np.minimum(credit + targets.rate * seconds, targets.cap)
        may = waiting > 0
        if gate == Gate.CREDIT:
            may &= credit >= 1.0
            rank = credit / targets.rate
        else:
            rank = (targets.x - prefilling) / targets.x
        if may.any() and prefilling.sum() < mixed_gpus:
            chosen = int(np.argmax(np.where(may, rank, -np.inf)))
            waiting[chosen] -= 1
            prefilling[chosen] += 1
            credit[chosen] -= 1.0
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    many = 64 if jax.default_backend() == "cpu" else 4096
    parser.add_argument("--seeds", type=int, default=many)
    parser.add_argument("--gpus", type=int, default=200)
    options = parser.parse_args()
    where = jax.default_backend()
    for name in ("gate_and_route", "credit_gate"):
        peer = numpy_rate(name, options.gpus)
        ours = chain_rate(name, options.gpus, options.seeds, 60.0 * 200 / options.gpus)
        setting = f"two classes, load 2.09, n {options.gpus}, {options.seeds} seeds, {where}"
        report(f"serve_chain/{name}", "events/s", (ours, peer), "a NumPy loop, one fleet", setting)
    for gpus in (20, 200, 2000, 20_000):
        ours = chain_rate("gate_and_route", gpus, options.seeds, 60.0 * 200 / gpus)
        setting = f"two classes, load 2.09, {options.seeds} seeds, {where}"
        report(f"serve_chain/n_{gpus}", "events/s", (ours, None), None, setting)
    for gpus in (50, 200, 1000, 4000):
        ours = per_gpu_rate(gpus, 32, 20.0 * 200 / gpus)
        setting = f"fcfs, two classes, load 2.09, 32 seeds, {where}"
        report(f"serve_chain/per_gpu_n_{gpus}", "events/s", (ours, None), None, setting)


if __name__ == "__main__":
    main()
