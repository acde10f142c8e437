"""Seed-rounds per second of Ellipsoidal-MINUCB (rule min_ucb) in float32, against a NumPy loop over
rounds; microseconds of a decision and of a reward of the agent.

    python benchmarks/bandit_rounds.py [--seeds 20] [--horizon 4000]

Eight arms with four features of their own: in blocks (8 of 4), and as 32 features that arms share;
ten arms with 20 features that they share. Ours is warm, and counts drawing instances, their logs,
contexts and rewards, and widths. The peer is what one writes first: for each seed a loop over
rounds in float64 with the same widths, on features and rewards drawn beforehand, for a part of the
seeds and rounds; it must play the same arms as ours in float64.

Of the agent: medians of warm calls, one request at a time; the 99th percentile is in the setting.
"""

import argparse
from time import perf_counter

import jax
import numpy as np
from measuring import report

from lpo.bandit import Case, Environment, Played, disjoint_family, simulate
from lpo.bandit.agent import Agent
from lpo.bandit.contenders import ELLIPSOIDAL, policy_named
from lpo.bandit.policy import Claim, Settings
from lpo.bandit.shared import shared
from lpo.bandit.spherical import spherical_family

PART = 2, 1000  # seeds and rounds of the peer
WARM = 20  # calls of the agent before the first one that counts


def play(environment: Environment, horizon: int, seeds: int, x64: bool = False) -> Played:
    settings = Settings(horizon=float(horizon))
    policy = policy_named(ELLIPSOIDAL, claim=Claim.ELLIPSOID, settings=settings)
    policies = {ELLIPSOIDAL: policy}
    return simulate(environment, policies, horizon, range(seeds), x64=x64)[ELLIPSOIDAL]


def rounds_per_second(environment: Environment, horizon: int, seeds: int) -> float:
    """Seed-rounds per second, the best of ten warm runs."""
    best = np.inf
    for _ in range(11):  # the first one compiles
        start = perf_counter()
        jax.block_until_ready(play(environment, horizon, seeds).regret)
        best = min(best, perf_counter() - start)
    return seeds * horizon / best


def loop_per_second(environment: Environment) -> float:
    """Seed-rounds per second of the loop; raises where it plays other arms than ours."""
    seeds, rounds = PART
    ours = np.asarray(play(environment, rounds, seeds, x64=True).arm)
    seconds = 0.0
    for seed in range(seeds):
        given = drawn(environment, seed, rounds)
        start = perf_counter()
        arms = loop(environment, *given)
        seconds += perf_counter() - start
        if not np.array_equal(arms, ours[seed]):
            raise RuntimeError("The peer and ours play different arms.")
    return seeds * rounds / seconds


def drawn(environment: Environment, seed: int, rounds: int) -> tuple[np.ndarray, ...]:
    """Features [T, K, d], rewards [T, K], the log's gram and moment, and one budget matrix."""
    with jax.enable_x64(True):
        of_instance, of_rounds, _ = jax.random.split(jax.random.key(seed), 3)
        instance = environment.draw(of_instance)
        keys = jax.vmap(lambda t: jax.random.fold_in(of_rounds, t))(np.arange(rounds))
        given = jax.vmap(lambda key: environment.play(instance, key))(keys)
        log, budgets = environment.offline(instance), environment.certificate(instance).budgets
    budgets = np.asarray(budgets)[:, 0]
    budget = budgets.any((1, 2)).sum() * budgets.sum(0)
    features, rewards = np.asarray(given.features), np.asarray(given.rewards)
    return features, rewards, np.asarray(log.gram)[0], np.asarray(log.moment)[0], budget


def loop(
    environment: Environment,
    features: np.ndarray,
    rewards: np.ndarray,
    gram: np.ndarray,
    moment: np.ndarray,
    budget: np.ndarray,
) -> np.ndarray:
    """Arms that Ellipsoidal-MINUCB plays, [T]."""
    given, d = environment.assumptions, gram.shape[0]
    lam, sigma = given.regularisation, given.noise
    v, w = np.eye(d) / lam, np.linalg.inv(gram + lam * np.eye(d))
    online, pooled = np.zeros(d), moment.copy()
    pull = gram @ budget @ gram
    grown, more = 0.0, 0.0
    start = np.linalg.slogdet(gram / lam + np.eye(d))[1]
    term = 2.0 * np.log(4.0 / given.delta)
    norm = np.sqrt(lam) * given.bound
    arms = np.empty(len(features), int)
    for t, x in enumerate(features):
        xv, xw = x @ v, x @ w
        beta = sigma * np.sqrt(term + grown) + norm
        first = np.sqrt(term + more + start)
        second = np.sqrt(d) + np.sqrt(term) + np.sqrt(term + more)
        beta_pooled = sigma * min(first, second) + norm
        penalty = np.sqrt(np.clip(((xw @ pull) * xw).sum(1), 0.0, None))
        upper = xv @ online + beta * np.sqrt((xv * x).sum(1))
        upper_pooled = xw @ pooled + beta_pooled * np.sqrt((xw * x).sum(1)) + penalty
        arm = int(np.argmax(np.minimum(upper, upper_pooled)))
        arms[t], z, y = arm, x[arm], rewards[t, arm]
        vz, wz = v @ z, w @ z
        long, long_pooled = z @ vz, z @ wz
        v -= np.outer(vz, vz) / (1.0 + long)
        w -= np.outer(wz, wz) / (1.0 + long_pooled)
        grown, more = grown + np.log1p(long), more + np.log1p(long_pooled)
        online += y * z
        pooled += y * z
    return arms


def agent_microseconds(environment: Environment, calls: int) -> dict[str, np.ndarray]:
    """Of each call of `select` and `update`, on rounds of one seed."""
    rounds = calls + WARM
    features, rewards, *_ = drawn(environment, 0, rounds)
    settings = Settings(horizon=float(rounds))
    policy, settings = policy_named(ELLIPSOIDAL, settings=settings)
    sizes = environment.arms, environment.dimension, environment.blocks
    agent = Agent(policy, settings, environment.assumptions, *sizes)
    seconds: dict[str, list[float]] = {"select": [], "update": []}
    for x, y in zip(features, rewards, strict=True):
        start = perf_counter()
        arm = agent.select(x).action
        chosen = perf_counter()
        agent.update(x[arm], arm, y[arm])
        jax.block_until_ready(agent.state)
        seconds["select"].append(chosen - start)
        seconds["update"].append(perf_counter() - chosen)
    return {name: 1e6 * np.array(each[WARM:]) for name, each in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--horizon", type=int, default=4000)
    parser.add_argument("--calls", type=int, default=5000)
    options = parser.parse_args()
    disjoint = disjoint_family(Case.ALIGNED)
    dense = loop_per_second(shared(disjoint))
    spherical = spherical_family(Case.ALIGNED)
    for name, environment, peer in (
        ("blocks", disjoint, dense),
        ("dense", shared(disjoint), dense),
        ("dense_20", spherical, loop_per_second(spherical)),
    ):
        rate = rounds_per_second(environment, options.horizon, options.seeds)
        size = f"{environment.blocks} blocks of {environment.dimension}, {environment.arms} arms"
        setting = f"{size}, {options.seeds} seeds x {options.horizon} rounds, float32"
        words = f"a NumPy loop, float64, {PART[0]} seeds x {PART[1]} rounds, {size}"
        if name == "blocks":
            words = words.replace(size, "dense")
        rates = rate, peer
        where = jax.default_backend()
        report(f"bandit_rounds/{name}", "seed-rounds/s", rates, words, f"{setting}, {where}")
    for name, environment in (("blocks", disjoint), ("dense", shared(disjoint))):
        for call, each in agent_microseconds(environment, options.calls).items():
            size = f"{environment.blocks} blocks of {environment.dimension}"
            setting = f"median of {options.calls} calls, {size}, float32, 99th percentile "
            setting += f"{np.percentile(each, 99):.0f}, {jax.default_backend()}"
            report(f"bandit_agent/{call}/{name}", "us", (np.median(each), None), None, setting)


if __name__ == "__main__":
    main()
