"""How often intervals of off-policy estimates hold the true value, and how large the errors are.

The table of docs/off_policy_evaluation.md: eight actions, contexts in R^4, a log of 1000 rows by a
policy that is greedy for wrong parameters and mixes; the best policy is evaluated.

    python benchmarks/off_policy_intervals.py [logs]
"""

import sys

import numpy as np
from measuring import report

from lpo.bandit.ope import Estimator, Interval, evaluate, make_log
from lpo.bandit.ope.targets import greedy

ROWS, ACTIONS, FEATURES, NOISE = 1000, 8, 4, 0.5
WORTH = 200_000  # contexts from which the true value is computed


def contexts_of(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Contexts [rows, c] of norm 1, the first entry positive."""
    drawn = rng.normal(size=(rows, FEATURES))
    drawn[:, 0] = 1.5
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def rewards_of(theta: np.ndarray, contexts: np.ndarray, bent: bool) -> np.ndarray:
    """Expected rewards [rows, K]: <x, theta_a>, or its absolute value with a bend."""
    linear = contexts @ theta.T
    return np.abs(2.0 * linear) - 0.3 if bent else linear


def main(logs: int) -> None:
    """Print errors and coverage of all estimators in four settings."""
    for bent in (False, True):
        for epsilon in (0.3, 0.05):
            study(logs, bent, epsilon)


def study(logs: int, bent: bool, epsilon: float) -> None:
    """Print what the logs of one setting say."""
    rng = np.random.default_rng(7)
    theta = rng.normal(size=(2, ACTIONS, FEATURES))
    theta *= 0.5 / np.linalg.norm(theta, axis=-1, keepdims=True)
    truth = rewards_of(theta[0], contexts_of(rng, WORTH), bent).max(1).mean()
    errors: list[list[float]] = []
    held: dict[Interval, list[list[bool]]] = {Interval.NORMAL: [], Interval.BOOTSTRAP: []}
    sizes: list[float] = []
    for number in range(logs):
        x = contexts_of(rng, ROWS)
        means = rewards_of(theta[0], x, bent)
        behaviour = np.full((ROWS, ACTIONS), epsilon / ACTIONS)
        behaviour[np.arange(ROWS), (x @ theta[1].T).argmax(1)] += 1.0 - epsilon
        action = (behaviour.cumsum(1) > rng.random((ROWS, 1))).argmax(1)
        at = np.arange(ROWS), action
        log = make_log(x, action, means[at] + NOISE * rng.normal(size=ROWS), behaviour[at])
        for interval, found in held.items():
            best = {"best": greedy(means)}
            rows = evaluate(log, best, interval=interval, draws=300, seed=number).rows
            found.append([row.low <= truth <= row.high for row in rows])
            if interval is Interval.NORMAL:
                errors.append([row.value - truth for row in rows])
                sizes.append(rows[0].effective_sample_size)
    setting = (
        f"{'bent' if bent else 'linear'} rewards, epsilon {epsilon:g}, worth {truth:.3f}, {logs} "
        f"logs, {np.mean(sizes):.0f} effective rows"
    )
    rmse = np.sqrt(np.mean(np.square(errors), 0))
    for i, name in enumerate(map(str, Estimator)):
        report(f"off_policy/{name}/rmse", "reward", (rmse[i], None), None, setting)
        for interval, found in held.items():
            share = float(np.mean(found, 0)[i])
            report(f"off_policy/{name}/{interval}", "coverage", (share, None), None, setting)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
