"""Seconds of a simulated sweep over models, scenarios and k, against a loop over its trials.

    python benchmarks/scale_sweep.py [--k 200] [--trials 500]

Nine models, three scenarios, k = 1 to 200 and 500 queries, 4 slots, the best of k. Ours is warm,
and counts with it how often each scenario's limits are kept. The peer is what one writes first
(and what has been published): for every model, k and trial it draws k passes in NumPy, adds up,
takes the best and appends. It runs for one model and every eighth k, and its time is scaled to the
whole sweep by the passes and trials left out; scenarios cost it nothing, they are filters.
"""

import argparse
import resource
from collections.abc import Callable
from time import perf_counter
from typing import Any

import jax
import numpy as np
from measuring import report
from scale_exact import SCENARIOS, SLOTS, reference

from lpo.scale.curves import Curves
from lpo.scale.laws import make_laws
from lpo.scale.models import Models
from lpo.scale.monte_carlo import simulate
from lpo.scale.monte_carlo.simulation import GROUP

EVERY = 8  # of the k that the peer runs
MODEL = 5


def loop(
    models: Models, which: int, ks: np.ndarray, trials: int, latency: str
) -> dict[str, np.ndarray]:
    """Mean, standard deviation and percentiles of cost, time and accuracy, [4, K] each."""
    m = Models(*(float(leaf[which]) for leaf in models))
    rng = np.random.default_rng(0)
    curves: dict[str, list[list[float]]] = {"cost": [], "time": [], "accuracy": []}
    for k in ks:
        costs, times, accuracies = [], [], []
        for _ in range(trials):
            prompt = np.clip(rng.normal(m.prompt, m.prompt_sd, k), 1.0, 16.0 * m.prompt)
            output = np.clip(rng.normal(m.output, m.output_sd, k), 1.0, 16.0 * prompt)
            score = np.clip(rng.normal(m.accuracy, m.accuracy_sd, k), 0.0, 1.0)
            costs.append((m.input_price * prompt + m.output_price * output).sum())
            seconds = m.input_s * prompt + m.output_s * output
            if latency == "mean":
                times.append(seconds.sum() / SLOTS)
            else:
                times.append(sum(seconds[at : at + SLOTS].max() for at in range(0, k, SLOTS)))
            accuracies.append(score.max())
        for name, values in (("cost", costs), ("time", times), ("accuracy", accuracies)):
            tails = np.percentile(values, [2.5, 97.5])
            curves[name].append([np.mean(values), np.std(values, ddof=1), *tails])
    return {name: np.array(rows).T for name, rows in curves.items()}


def loop_seconds(models: Models, k: np.ndarray, trials: int, latency: str, ours: Curves) -> float:
    """Seconds of the loop for all models and k, from a part; its means must be ours."""
    ks = k[EVERY // 2 - 1 :: EVERY]  # whose mean is about that of all
    start = perf_counter()
    theirs = loop(models, MODEL, ks, trials, latency)
    part = perf_counter() - start
    for name, rows in theirs.items():
        estimate = getattr(ours, name)
        mean, sem = (np.asarray(each)[MODEL, 0, ks - 1] for each in (estimate.mean, estimate.sem))
        error = np.hypot(sem, rows[1] / np.sqrt(trials))
        assert (np.abs(rows[0] - mean) <= 5.0 * error + 1e-6 * mean).all(), name
    return part * len(models.accuracy) * len(k) / len(ks)


def best_of(call: Callable[[], Any], times: int = 10) -> float:
    call()
    seconds = []
    for _ in range(times):
        start = perf_counter()
        call()
        seconds.append(perf_counter() - start)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--k", type=int, default=200)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--many", type=int, default=100_000, help="trials of the long run")
    options = parser.parse_args()
    models, k, key = reference(), np.arange(1, options.k + 1), jax.random.key(0)
    size = f"9 models x 3 scenarios x {options.k} k x"
    where = jax.default_backend()
    for latency in ("mean", "waves"):
        laws = make_laws(latency=latency)

        def sweep(
            trials: int = options.trials, percentiles: bool = True, laws: Any = laws
        ) -> Curves:
            return simulate(
                key,
                *laws,
                models,
                k,
                [SLOTS],
                trials=trials,
                percentiles=percentiles,
                limits=SCENARIOS,
            )

        peer = loop_seconds(models, k, options.trials, latency, sweep())
        part = f"1 model and every {EVERY}th k, scaled"
        setting = f"{size} {options.trials} trials, {latency} on {SLOTS} slots, best_of_k, {where}"
        for name, with_them in (("moments", False), ("percentiles", True)):
            value = best_of(lambda sweep=sweep, which=with_them: sweep(percentiles=which))
            values = (value, peer)
            report(f"scale_sweep/{latency}_{name}", "s", values, f"a NumPy loop, {part}", setting)
    for name, with_them in (("moments", False), ("percentiles", True)):
        sweep(percentiles=with_them)
        start = perf_counter()
        sweep(trials=options.many, percentiles=with_them)
        setting = f"{size} {options.many} trials, waves, {where}"
        report(f"scale_sweep/many_{name}", "s", (perf_counter() - start, None), None, setting)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    setting = f"of all runs, the greatest of {options.many} trials, groups of {GROUP}"
    report("scale_sweep/memory", "GiB", (memory, None), None, setting)


if __name__ == "__main__":
    main()
