"""Seconds of all exact curves of a question, against a loop of SciPy quadratures.

    python benchmarks/scale_exact.py [--k 200]

Nine models, k = 1 to 200, 4 slots, waves and the best of k: mean and standard deviation of
accuracy, cost and time. Three scenarios are filters on the same curves, part of ours. The peer
integrates what has no closed form (the best score for every model and k, the longest of 1 to 4
passes) and takes the rest from sums; it gives means only.
"""

import argparse
from pathlib import Path
from time import perf_counter

import numpy as np
import yaml
from measuring import report
from scipy import integrate, stats

from lpo.scale.curves import Curves, Limits
from lpo.scale.exact import exact_curves
from lpo.scale.laws import make_laws
from lpo.scale.models import Models
from lpo.scale.readers import models_of

SLOTS = 4
SCENARIOS = Limits(
    np.array([0.05, 0.5, 2.0]), np.array([30.0, 60.0, 600.0]), np.array([0.9, 0.9, 0.95])
)


def reference() -> Models:
    path = Path(__file__).parents[1] / "conf/scale/models/reference.yaml"
    records = yaml.safe_load(path.read_text(encoding="utf-8"))
    for record in records.values():
        record.pop("title")
    return models_of(records).models


def ours(models: Models, k: np.ndarray) -> tuple[Curves, np.ndarray]:
    curves = exact_curves(*make_laws(), models, k, [SLOTS])
    cost, time, accuracy = (limit[:, None, None, None] for limit in SCENARIOS)
    feasible = (curves.cost.mean <= cost) & (curves.time.mean <= time)
    return curves, feasible & (curves.accuracy.mean >= accuracy)


def quadratures(models: Models, k: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of cost, time and accuracy [m, K], as one would write them first."""

    def longest(n: int) -> float:
        def over(x: float) -> float:
            return float(x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1))

        return integrate.quad(over, -9.0, 9.0)[0]

    accuracy = np.zeros((len(models.accuracy), len(k)))
    for m, (mean, sd) in enumerate(zip(models.accuracy, models.accuracy_sd, strict=True)):
        for i, n in enumerate(k):

            def over(x: float, mean: float = mean, sd: float = sd, n: int = n) -> float:
                return float(1.0 - stats.norm.cdf((x - mean) / sd) ** n)

            accuracy[m, i] = integrate.quad(over, 0.0, 1.0, points=[mean - 3 * sd, mean])[0]
    cost = models.input_price * models.prompt + models.output_price * models.output
    time = models.input_s * models.prompt + models.output_s * models.output
    sd = np.hypot(models.input_s * models.prompt_sd, models.output_s * models.output_sd)
    wave = np.array([0.0, *(longest(n) for n in range(1, SLOTS + 1))])
    full, rest = k // SLOTS, k % SLOTS
    waves = full + (rest > 0)
    return (
        np.outer(cost, k),
        np.outer(time, waves) + np.outer(sd, full * wave[SLOTS] + wave[rest]),
        accuracy,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--k", type=int, default=200)
    options = parser.parse_args()
    models, k = reference(), np.arange(1, options.k + 1)
    start = perf_counter()
    curves, _ = ours(models, k)
    cold = perf_counter() - start
    warm = []
    for _ in range(20):
        start = perf_counter()
        ours(models, k)
        warm.append(perf_counter() - start)
    start = perf_counter()
    cost, time, accuracy = quadratures(models, k)
    peer = perf_counter() - start
    for estimate, theirs in (
        (curves.cost, cost),
        (curves.time, time),
        (curves.accuracy, accuracy),
    ):
        np.testing.assert_allclose(estimate.mean[:, 0], theirs, rtol=1e-7)
    setting = f"9 models x 3 scenarios x {options.k} k, waves on {SLOTS} slots, best_of_k"
    loop = "a loop of SciPy quadratures, means only"
    report("scale_exact/warm", "s", (min(warm), peer), loop, setting)
    report("scale_exact/cold", "s", (cold, None), None, setting)


if __name__ == "__main__":
    main()
