"""Policies as a loop over rounds in NumPy, from the formulas: whole matrices, inverted anew."""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import block_diag

from lpo.bandit.policy import Claim, OfflineNoise, Policy, Pooling, Rule, Settings, Widths


class Loop(NamedTuple):
    """arm: played, [T]. best: with the greatest index, [T]. used: whether the log's width is the
    smaller one, [T]. regret: [T]. trusted: of each block at the end."""

    arm: np.ndarray
    best: np.ndarray
    used: np.ndarray
    regret: np.ndarray
    trusted: np.ndarray


def play(
    policy: Policy, settings: Settings, given: Any, forced: Any = None, most_delay: int = 0
) -> Loop:
    """Loop over the rounds of one seed of `Worlds`; `forced`: what is played whatever is best."""
    log, rounds = given.offline, given.rounds
    a = given.assumptions
    lam, sigma, delta = float(a.regularisation), float(a.noise), float(a.delta)
    g, c = log.moment.shape
    d, arms = g * c, rounds.means.shape[1]
    G, b_off = np.asarray(block_diag(*log.gram), float), np.asarray(log.moment, float).reshape(-1)
    A = lam * np.eye(d) + G
    th_off = np.linalg.solve(A, b_off)
    parts = claimed(policy, np.asarray(given.certificate.budgets, float))
    at = np.arange(g)[:, None] * c + np.arange(c)  # columns of each block
    blocks = at if policy.widths is Widths.PER_BLOCK else [np.arange(d)]
    l = np.log((4.0 if policy.union_split else 1.0) * len(blocks) / delta)
    per_block = policy.widths is Widths.PER_BLOCK
    B = float(a.block_bound if per_block else a.bound)
    B_off = float(a.block_bound_off if per_block else a.bound_off)
    H, constants = G, [0.0] * len(blocks)
    if policy.pooling is Pooling.PRECISION:
        Q = least(parts, blocks)
        H = np.linalg.inv(np.linalg.inv(A) + Q / sigma**2)
        HA = H @ np.linalg.inv(A)
        constants = [1 + norm_of_noise(policy, np.trace(HA[np.ix_(i, i)]), l) for i in blocks]
        b_off = H @ th_off
    data, b, decay = np.zeros((d, d)), np.zeros(d), 1.0
    S, C, N = np.zeros(g), np.zeros(g), np.zeros(g)
    trusted = np.full(g, not policy.learned)
    halves = [np.zeros((d, d))] if policy.pooling is Pooling.NAIVE else [root(Q) for Q in parts]
    refreshes = [4 * d * 2**k for k in range(30)] if policy.learned else []
    W0 = lam * np.eye(d) + H
    out: dict[str, list[Any]] = {"arm": [], "best": [], "used": [], "regret": []}
    waits: list[tuple[int, np.ndarray, int, float]] = []
    for t in range(len(rounds.means)):
        V = lam * np.eye(d) + data
        W = V + decay * H
        Vi, Wi = np.linalg.inv(V), np.linalg.inv(W)
        th_on, th_p = Vi @ b, Wi @ (decay * b_off + b)
        if t in refreshes:
            halves, trusted = (
                learned(policy, given, blocks, l, A, th_off, V, th_on),
                ~trusted | True,
            )
        x = np.zeros((arms, d))
        for k in range(arms):
            x[k, at[k if g > 1 else 0]] = rounds.features[t, k]
        online, pooled, w_on, w_p = np.zeros((4, arms))
        for k in range(arms):
            which = (k if g > 1 else 0) if per_block else 0
            i = blocks[which]
            grown = logdet(V, i) - len(i) * np.log(lam)
            more = logdet(W, i) - len(i) * np.log(lam)
            since = logdet(W, i) - logdet(W0, i)
            beta = sigma * np.sqrt(2 * l + grown) + np.sqrt(lam) * B
            if policy.pooling is Pooling.PRECISION:
                radius = sigma * (constants[which] + np.sqrt(2 * l + since))
                radius += np.sqrt(lam) * (B + B_off)
                penalty = 0.0
            else:
                radius = sigma * np.sqrt(2 * l + more)
                if not policy.forgets:
                    noise = norm_of_noise(policy, len(i), l) + np.sqrt(2 * l + since)
                    radius = min(radius, sigma * noise)
                radius += np.sqrt(lam) * B
                penalty = sum(np.linalg.norm(half @ (decay * G) @ Wi @ x[k]) for half in halves)
            online[k], pooled[k] = x[k] @ th_on, x[k] @ th_p
            w_on[k] = settings.width_scale * beta * np.sqrt(x[k] @ Vi @ x[k])
            w_p[k] = settings.width_scale * radius * np.sqrt(x[k] @ Wi @ x[k]) + penalty
            w_p[k] = w_p[k] if trusted[k if g > 1 else 0] else np.inf
        index = {
            Rule.MIN_UCB: np.minimum(online + w_on, pooled + w_p),
            Rule.MIN_WIDTH: np.where(w_p < w_on, pooled + w_p, online + w_on),
            Rule.ONLINE: online + w_on,
            Rule.POOLED: pooled + w_p,
            Rule.OFFLINE_GREEDY: x @ th_off,
        }[policy.rule]
        best = int(np.argmax(np.where(rounds.allowed[t], index, -np.inf)))
        arm = best if forced is None else int(forced[t])
        out["best"].append(best)
        out["arm"].append(arm)
        out["used"].append(w_p[arm] < w_on[arm])
        out["regret"].append(rounds.means[t][rounds.allowed[t]].max() - rounds.means[t, arm])
        delay = int(np.broadcast_to(rounds.delay[t], arms)[arm])
        waits.append((t + delay, x[arm], arm, float(rounds.rewards[t, arm])))
        slots = most_delay + 1
        order = sorted(range(len(waits)), key=lambda s: s % slots)
        for due, z, played, r in (waits[s] for s in order):
            if due != t:
                continue
            if policy.audit:
                Vi_ = np.linalg.inv(lam * np.eye(d) + data)
                block = played if g > 1 else 0
                sign = np.sign(z @ (Vi_ @ b - th_off))
                ways = 4.0 if policy.union_split else 1.0
                error = sigma * np.sqrt(2 * np.log(ways * arms * settings.horizon / delta))
                error += 2 * np.sqrt(lam) * float(a.block_bound_off)
                S[block] += sign * (r - z @ th_off)
                C[block] += error * np.sqrt(z @ np.linalg.inv(A) @ z)
                C[block] += sum(np.linalg.norm(half @ z) for half in halves)
                N[block] += 1
                n, share = N[block] + 10, 2.0 if policy.union_split else 1.0
                limit = sigma * np.sqrt(n * np.log(n / 10 * (share * arms / delta) ** 2))
                trusted[block] &= S[block] <= C[block] + limit
            factor = settings.discount
            data, b, decay = factor * data, factor * b, factor * decay
            data, b = data + np.outer(z, z), b + r * z
    return Loop(trusted=trusted, **{name: np.array(each) for name, each in out.items()})


def claimed(policy: Policy, budgets: np.ndarray) -> list[np.ndarray]:
    """Q of each ellipsoid, [d, d], that a policy takes to add up."""
    m, g, c = budgets.shape[:3]
    every = []
    for j in range(m):
        for k in range(g):
            Q = np.zeros((g, c, g, c))
            Q[k, :, k] = budgets[j, k]
            every.append(Q.reshape(g * c, g * c))
    if policy.claim is Claim.PRODUCT:
        return every
    one = sum(np.trace(Q) > 0 for Q in every) * np.sum(every, 0)
    if policy.claim is Claim.ELLIPSOID:
        return [one]
    return [np.linalg.eigvalsh(one)[-1] * np.eye(g * c)]


def least(parts: list[np.ndarray], blocks: Any) -> np.ndarray:
    """One ellipsoid around the sum of all, or (per block) of those in each."""
    Q = np.zeros_like(parts[0])
    for i in blocks:
        inside = [part * np.isin(np.arange(len(Q)), i) for part in parts]
        sizes = [np.sqrt(np.trace(part)) for part in inside]
        for part, size in zip(inside, sizes, strict=True):
            Q += part * sum(sizes) / size if size > 0 else 0.0
    return Q


def learned(
    policy: Policy, given: Any, blocks: Any, l: float, A: Any, th_off: Any, V: Any, th_on: Any
) -> list[np.ndarray]:
    """Roots of the learned Q (of each block, where widths are)."""
    a = given.assumptions
    lam, sigma = float(a.regularisation), float(a.noise)
    per_block = policy.widths is Widths.PER_BLOCK
    found = []
    for i in blocks:
        ix = np.ix_(i, i)
        V_, A_, D = V[ix], A[ix], (th_off - th_on)[i]
        B = float(a.block_bound if per_block else a.bound)
        B_off = float(a.block_bound_off if per_block else a.bound_off)
        grown = np.linalg.slogdet(V_)[1] - len(i) * np.log(lam)
        beta = sigma * np.sqrt(2 * l + grown) + np.sqrt(lam) * B
        radius = sigma * norm_of_noise(policy, len(i), l) + np.sqrt(lam) * B_off
        E = outer(beta**2 * np.linalg.inv(V_), radius**2 * np.linalg.inv(A_))
        Q = np.zeros_like(V)
        Q[ix] = outer(E, np.outer(D, D))
        found.append(Q)
    g, c = given.offline.moment.shape
    diagonal = np.kron(np.eye(g), np.ones((c, c)))  # an arm has features in one block
    return [root(Q * diagonal) for Q in found]


def outer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    s, r = np.sqrt(np.trace(one)), np.sqrt(np.trace(other))
    return (1 + r / s) * one + (1 + s / r) * other


def norm_of_noise(policy: Policy, size: float, l: float) -> float:
    if policy.offline_noise is OfflineNoise.GAUSSIAN:
        return np.sqrt(size) + np.sqrt(2 * l)
    return np.sqrt(size + 2 * np.sqrt(size * l) + 2 * l)


def logdet(matrix: np.ndarray, at: np.ndarray) -> float:
    return np.linalg.slogdet(matrix[np.ix_(at, at)])[1]


def root(Q: np.ndarray) -> np.ndarray:
    value, vector = np.linalg.eigh(Q)
    return np.sqrt(np.clip(value, 0, None))[:, None] * vector.T
