"""What came out of routing requests: arms, what changed, shares of requests, beside regret."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lpo.bandit.command.comparing import findings_of
from lpo.bandit.command.config import BanditConfig, CertificateKind
from lpo.bandit.command.contest import Contest, contest_in, known
from lpo.bandit.command.pictures import arms_picture, share_picture
from lpo.bandit.command.requests import Routing
from lpo.bandit.product.behaviour import probabilities
from lpo.bandit.product.changes import Kind, Terms, entry
from lpo.bandit.product.contexts import OUTPUT
from lpo.bandit.product.costs import value_of
from lpo.bandit.product.features import FEATURES, features_of
from lpo.bandit.product.linear import bias_of, excess_of, linear_fit, mean_rewards, nominal
from lpo.bandit.product.log import tables_of
from lpo.bandit.product.product import Product, allowed_arms, bill
from lpo.runs import Findings, ResultTable

_WINDOWS = 16  # points of a curve of shares
_OF_ARMS = ("arm", "usd_per_1000", "seconds", "conversation", "code", "reward", "residual")
_TERMS = {
    Kind.MODEL_UPGRADE: "quality moves by up to {size:g} over both tasks",
    Kind.PRICE_CHANGE: "rent rises or falls by up to {size:.0%}",
    Kind.NEW_HARDWARE: "latency falls by up to {size:.0%}",
}


class Instances(NamedTuple):
    """Of N seeds. means: expected rewards of the later requests now, [N, n, K], -inf where an arm
    has no room. holds: whether the certificate does. continued: what the log's own policy would
    lose a request, in the mean, [N]."""

    means: np.ndarray
    holds: np.ndarray
    continued: np.ndarray


def route(cfg: BanditConfig, routing: Routing) -> Findings:
    """Play all policies on a routing problem, and say what came out."""
    product = routing.product
    contest = contest_in(cfg, known(cfg, routing.environment))
    found = findings_of(cfg, contest)
    instances = instances_of(product, contest)
    arms, manifest = arm_table(product, contest, instances), manifest_table(product)
    shares = share_table(product, contest)
    fit = linear_fit(product)
    lost = float(instances.continued.mean()) * cfg.horizon
    changed = [
        ("what may have changed since the log: budget (effect on a reward)", listed(product))
    ]
    return found._replace(
        result=f"{_change(product)}; {found.result}",
        metrics=found.metrics
        | {
            "regret/log_policy": lost,
            "certificate_holds": float(instances.holds.mean()),
            "linear/least_explained": float(fit.explained.min()),
            "linear/residual": fit.residual,
        },
        tables=found.tables
        | {
            "arms": ResultTable(
                "Arms",
                "usd_per_1000: rent of 1000 of the later requests, seconds: latency, reward: "
                "expected, all before the change and in the mean over requests. conversation, "
                "code: quality of answers, 1 is free of errors. Shares of requests: log, in the "
                "log; best, where the arm is the best one now; policies, over the last quarter of "
                "the rounds. explained: share of the variance of expected rewards that is linear "
                "in the features. residual: root mean square of the rest.",
                arms,
            ),
            "manifest": ResultTable(
                "What may have changed since the log",
                f"{_change(product)}. budget: by how much the parameter of a feature may differ; "
                "unknown: as much as bounds on norms allow. effect: of that on the reward of a "
                "request, in the mean over those that have the feature. Beside these, the "
                "parameters of every arm by "
                f"{np.sqrt(product.budgets[0, 0, 0, 0]):g} together.",
                manifest,
            ),
            "shares": ResultTable(
                "Shares of requests by round",
                "Since the round before, means over seeds; of round 0 in the log.",
                shares,
            ),
        },
        pictures={
            "regret": found.pictures["regret"],
            "shares": share_picture(shares),
            "arms": arms_picture(arms, ["log", "best", *followed(contest)]),
            **found.pictures,
        },
        shown=[
            ("arms", arms.loc[:, list(_OF_ARMS)]),
            ("shares of requests by arm", arms.loc[:, ["arm", "log", "best", *followed(contest)]]),
            *(changed if product.manifest else []),
            *found.shown,
        ],
        notes=[
            f"{routing.requests}; {product.rows} of those before are the log.",
            f"the log's own policy, continued, would lose {lost:.4g}.",
            _holds(cfg, product, instances),
            f"rewards are nearly linear in the features: at least {fit.explained.min():.3%} of an "
            f"arm's variance, all but {fit.residual:.2g} of any reward.",
            *found.notes,
        ],
    )


def instances_of(product: Product, contest: Contest) -> Instances:
    """Return what is to be known of every seed's instance."""
    drawn = contest.instances
    before, after = (
        [Terms(*(np.asarray(part)[i] for part in terms)) for i in range(len(contest.seeds))]
        for terms in (drawn.before, drawn.after)
    )
    rounds = product.periods.rounds
    allowed = allowed_arms(product, rounds.values)
    chances = probabilities(
        product.behaviour, bill(product, rounds, rounds.values[:, OUTPUT]), allowed
    )
    means = np.stack([np.where(allowed, mean_rewards(product, one), -np.inf) for one in after])
    lost = means.max(-1) - (chances * np.where(allowed, means, 0.0)).sum(-1)
    holds = [
        excess_of(product, bias_of(product, old, new)).max() <= 0.0
        for old, new in zip(before, after, strict=True)
    ]
    return Instances(means, np.array(holds), lost.mean(1))


def arm_table(product: Product, contest: Contest, instances: Instances) -> pd.DataFrame:
    """One row an arm; columns as the report says, and the shares of `followed` policies."""
    rounds, terms = product.periods.rounds, nominal(product)
    costs = bill(product, rounds, rounds.values[:, OUTPUT])
    usd = costs.money * value_of(product.economics, rounds.values)[:, None]
    fit = linear_fit(product)
    best = instances.means.argmax(-1)
    late = 3 * contest.played[next(iter(contest.played))].arm.shape[1] // 4
    each = range(len(product.arms))
    quality = np.array([one.quality for one in product.deployments])
    columns: dict[str, Any] = {
        "arm": product.arms,
        "model": [one.model for one in product.deployments],
        "gpu": [f"{one.tensor_parallel} x {one.gpu}" for one in product.deployments],
        "route": [one.route.name for one in product.deployments],
        "usd_per_1000": 1e3 * usd.mean(0),
        "seconds": costs.latency_s.mean(0),
        "conversation": quality[:, 0],
        "code": quality[:, 1],
        "reward": mean_rewards(product, terms).mean(0),
        "explained": fit.explained,
        "residual": fit.residual_sd,
        "log": tables_of(product).probability.mean(0),
        "best": [(best == a).mean() for a in each],
    }
    for name in followed(contest):
        played = np.asarray(contest.played[name].arm)[:, late:]
        columns[name] = [(played == a).mean() for a in each]
    return pd.DataFrame(columns)


def followed(contest: Contest) -> list[str]:
    """Return whose choices are shown: ours, and LinUCB."""
    return [name for name in (contest.ours, contest.online) if name is not None]


def share_table(product: Product, contest: Contest) -> pd.DataFrame:
    """Shares of requests by arm since the round before, round 0 being the log: policy, arm, round,
    share."""
    logged = tables_of(product).probability.mean(0)
    parts = []
    for name in followed(contest):
        played = np.asarray(contest.played[name].arm)
        edges = np.unique(np.linspace(0, played.shape[1], _WINDOWS + 1).round().astype(int))
        for a, arm in enumerate(product.arms):
            sums = np.concatenate([[0.0], np.cumsum((played == a).mean(0))])[edges]
            share = np.concatenate([[logged[a]], np.diff(sums) / np.diff(edges)])
            parts.append(pd.DataFrame({"policy": name, "arm": arm, "round": edges, "share": share}))
    empty = pd.DataFrame({name: [] for name in ("policy", "arm", "round", "share")})
    return pd.concat(parts, ignore_index=True) if parts else empty


def manifest_table(product: Product) -> pd.DataFrame:
    """One row a feature of an arm that changed: arm, feature, budget (unknown where only what has
    changed is listed), effect on the reward of a mean request that has the feature."""
    x = features_of(product.economics, product.scales, product.periods.rounds.values)
    means = [column[column > 0.0].mean() for column in x.T]
    rows = []
    for arm in product.arms:
        for feature, mean in zip(FEATURES, means, strict=True):
            if entry(arm, feature) in product.manifest:
                budget = product.manifest[entry(arm, feature)]
                known = budget is not None
                rows.append(
                    {
                        "arm": arm,
                        "feature": feature,
                        "budget": budget if known else "unknown",
                        "effect": budget * mean if known else np.nan,
                    }
                )
    return pd.DataFrame(rows, columns=pd.Index(["arm", "feature", "budget", "effect"]))


def listed(product: Product) -> pd.DataFrame:
    """The manifest as it is printed: one row an arm, one column a feature."""
    table = manifest_table(product)
    words = [
        row["budget"]
        if row["budget"] == "unknown"
        else f"{row['budget']:.3g} ({row['effect']:.2g})"
        for row in table.to_dict("records")
    ]
    wide = table.assign(words=words).pivot(index="arm", columns="feature", values="words")
    features = [name for name in FEATURES if name in wide.columns]
    return wide.loc[[arm for arm in product.arms if arm in wide.index], features].reset_index()


def _change(product: Product) -> str:
    change = product.change
    if change.kind is Kind.NONE:
        return "nothing changed since the log"
    words = _TERMS[change.kind].format(size=change.size)
    told = "" if change.known else "; the size is not known"
    return f"{change.kind.replace('_', ' ')} of {change.what} ({words}{told})"


def _holds(cfg: BanditConfig, product: Product, instances: Instances) -> str:
    if cfg.certificate is CertificateKind.none:
        return "the list of changes is not used: certificate=none."
    drifted = " (outputs drifted, which no budget covers)" if product.drift else ""
    held, count = instances.holds.sum(), len(instances.holds)
    return f"the bias is within the budgets in {held} of {count} instances{drifted}."
