"""Tables of what policies did: regret over rounds, means over seeds, what logs were worth."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from lpo.bandit.alignment import alignment, effective_dimension, remaining_dimension
from lpo.bandit.command.contest import Contest
from lpo.bandit.contenders import POOLED
from lpo.bandit.offline import Offline
from lpo.bandit.policy import Policy, Pooling, Rule
from lpo.bandit.simulation import Played
from lpo.runs.statistics import mean_interval

POINTS = 60
"""Rounds of the regret curves, beside those that were asked for."""


def rounds_of(horizon: int, asked: list[int]) -> np.ndarray:
    """Rounds of which regret is written: evenly spread, those asked for, and the last."""
    spread = np.linspace(horizon / POINTS, horizon, POINTS).round().astype(int)
    every = np.concatenate([spread, np.array([*asked, horizon], int)])
    return np.unique(every[(every >= 1) & (every <= horizon)])


def regret_table(contest: Contest, rounds: np.ndarray) -> pd.DataFrame:
    """Cumulative regret of each policy and seed at `rounds`: policy, seed, round, regret."""
    parts = [
        pd.DataFrame(
            {
                "policy": name,
                "seed": np.repeat(contest.seeds, len(rounds)),
                "round": np.tile(rounds, len(contest.seeds)),
                "regret": cumulative(played)[:, rounds - 1].ravel(),
            }
        )
        for name, played in contest.played.items()
    ]
    return pd.concat(parts, ignore_index=True)


def cumulative(played: Played) -> np.ndarray:
    """Sum of regret up to each round, [N, T], in double precision."""
    return np.cumsum(np.asarray(played.regret, np.float64), axis=1)


def mean_table(regret: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with 95 % t-intervals, NaN of one: policy, round, regret, low, high."""
    means = mean_interval(regret, ["policy", "round"], "regret")
    half = means["half"].where(means["n"] > 1)
    return pd.DataFrame(
        {
            "policy": means["policy"],
            "round": means["round"],
            "regret": means["mean"],
            "low": means["mean"] - half,
            "high": means["mean"] + half,
        }
    )


def policy_table(contest: Contest) -> pd.DataFrame:
    """One row a policy, at the horizon.

    regret, sem, low, high: mean over seeds, its standard error and 95 % t-interval. more, more_low,
    more_high: regret less that of ours, seed by seed, and its 95 % t-interval. to_online, to_best:
    mean regret over that of LinUCB, and over the lower one of LinUCB and pooled.
    used_offline: share of rounds whose arm had the smaller width from pooled data.
    effective_dimension, remaining_dimension: means over seeds (`lpo.bandit.alignment`).
    guarantee: whether theory bounds the regret.
    """
    rows = []
    final = {name: cumulative(played)[:, -1] for name, played in contest.played.items()}
    online, pooled = (
        final[name].mean() if name in final else np.nan for name in (contest.online, POOLED)
    )
    best = np.nanmin([online, pooled]) if np.isfinite([online, pooled]).any() else np.nan
    for name, played in contest.played.items():
        policy, settings = contest.policies[name]
        regret = final[name]
        count = len(regret)
        half = half_interval(regret)
        more = regret - final[contest.ours] if contest.ours else np.full(count, np.nan)
        wide = half_interval(more) if contest.ours else np.nan
        rows.append(
            {
                "policy": name,
                "regret": regret.mean(),
                "sem": regret.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan,
                "low": regret.mean() - half,
                "high": regret.mean() + half,
                "more": more.mean(),
                "more_low": more.mean() - wide,
                "more_high": more.mean() + wide,
                "to_online": regret.mean() / online,
                "to_best": regret.mean() / best,
                "used_offline": float(np.asarray(played.used_offline).mean()),
                **_dimensions(contest, name),
                "guarantee": guarantee(policy, settings.width_scale),
            }
        )
    return pd.DataFrame(rows)


def half_interval(numbers: np.ndarray) -> float:
    """Return half the length of the 95 % t-interval of a mean, NaN of one number."""
    if len(numbers) < 2:
        return float("nan")
    table = pd.DataFrame({"of": "", "number": numbers})
    return float(mean_interval(table, ["of"], "number")["half"].iloc[0])


def guarantee(policy: Policy, scale: float) -> str:
    """What theory says of a policy's regret."""
    untaught = policy.rule in (Rule.THOMPSON, Rule.OFFLINE_GREEDY, Rule.UNIFORM)
    if untaught or policy.pooling is Pooling.NAIVE:
        return "none"
    return "theory" if scale >= 1.0 else f"void: widths x {scale:g}"


def certificate_table(contest: Contest) -> pd.DataFrame:
    """One row a seed. rows: of the log. kappa: the alignment of certificate and log. log_least,
    log_most: the least and the greatest eigenvalue of its gram."""
    environment = contest.environment
    offline = jax.vmap(environment.offline)(contest.instances)
    certificates = jax.vmap(environment.certificate)(contest.instances)
    lam = environment.assumptions.regularisation
    kappa = jax.vmap(lambda claimed, log: alignment(claimed, log, lam))(certificates, offline)
    values = np.linalg.eigvalsh(np.asarray(offline.gram, np.float64))
    return pd.DataFrame(
        {
            "seed": contest.seeds,
            "rows": np.asarray(offline.count).sum(-1).astype(int),
            "kappa": np.asarray(kappa),
            "log_least": values.min((1, 2)),
            "log_most": values.max((1, 2)),
        }
    )


def use_table(contest: Contest, rounds: np.ndarray) -> pd.DataFrame:
    """Share of rounds since the one before in which logs tightened: policy, round, used_offline."""
    edges = np.concatenate([[0], rounds])
    parts = []
    for name, played in contest.played.items():
        if not contest.policies[name][0].rule.two:
            continue
        used = np.asarray(played.used_offline, np.float64).mean(0)
        shares = np.diff(np.concatenate([[0.0], np.cumsum(used)])[edges]) / np.diff(edges)
        parts.append(pd.DataFrame({"policy": name, "round": rounds, "used_offline": shares}))
    empty = pd.DataFrame({"policy": [], "round": [], "used_offline": []})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _dimensions(contest: Contest, name: str) -> dict[str, float]:
    """Of a policy that learns from sums over all its rounds; NaN of others."""
    environment, played = contest.environment, contest.played[name]
    policy = contest.policies[name][0]
    if policy.rule in (Rule.STAGED, Rule.UNIFORM, Rule.OFFLINE_GREEDY) or policy.forgets:
        return dict.fromkeys(("effective_dimension", "remaining_dimension"), float("nan"))
    alone, state = policy.rule in (Rule.ONLINE, Rule.THOMPSON), played.state
    growth = np.asarray((state.online if alone else state.pooled).growth).sum(-1).mean()
    dimension = environment.blocks * environment.dimension
    lam = environment.assumptions.regularisation
    with jax.enable_x64(True):
        gram, log = (np.asarray(each, np.float64) for each in (state.gram, state.evidence.gram))
        offline = Offline(jnp.asarray(0.0 * log if alone else log), jnp.zeros(()), jnp.zeros(()))
        remaining = remaining_dimension(jnp.asarray(gram), offline, lam)
    rounds = played.regret.shape[1]
    return {
        "effective_dimension": float(effective_dimension(growth, rounds, dimension, lam)),
        "remaining_dimension": float(remaining) / len(gram),
    }
