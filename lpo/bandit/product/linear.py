"""How nearly linear rewards are, and where the log is biased. docs/bandit_product.md."""

from typing import Any, NamedTuple

import numpy as np

from lpo.bandit.product.changes import Terms
from lpo.bandit.product.contexts import CODE, OUTPUT
from lpo.bandit.product.features import features_of
from lpo.bandit.product.log import tables_of
from lpo.bandit.product.product import Product, bill


class Fit(NamedTuple):
    """The linear model nearest to expected rewards. theta: [K, 8]. explained: share of the variance
    of an arm's expected rewards over contexts, [K]. residual: the greatest, of any context and arm.
    residual_sd: root mean square over contexts, [K]."""

    theta: np.ndarray
    explained: np.ndarray
    residual: float
    residual_sd: np.ndarray


def nominal(product: Product) -> Terms:
    """Return terms without chance and change."""
    one = np.ones(len(product.deployments))
    return Terms(np.array([each.quality for each in product.deployments]), one, one)


def mean_rewards(product: Product, terms: Terms, *, log: bool = False) -> np.ndarray:
    """Return expected rewards of all requests of a period on all arms, [n, K]."""
    requests = product.periods.log if log else product.periods.rounds
    drifted = product.drift or log
    output = requests.expected if drifted else requests.values[:, OUTPUT]
    quality, rent, slow = (np.asarray(part, np.float64) for part in terms)
    costs = bill(product, requests, output)
    task = requests.values[:, CODE].astype(int)
    return quality.T[task] - rent * costs.money - slow * costs.wait


def linear_fit(product: Product, terms: Terms | None = None, *, log: bool = False) -> Fit:
    """Return the least squares fit of a period's expected rewards; None: `nominal` terms. In the
    log an arm's requests count as often as it got them, in the rounds alike."""
    requests = product.periods.log if log else product.periods.rounds
    x = features_of(product.economics, product.scales, requests.values)
    means = mean_rewards(product, nominal(product) if terms is None else terms, log=log)
    weights = tables_of(product).probability if log else np.ones_like(means)
    theta = np.stack(
        [_weighted(x, mean, weight) for mean, weight in zip(means.T, weights.T, strict=True)]
    )
    left = means - x @ theta.T
    share = weights / weights.sum(0)
    about = means - (share * means).sum(0)
    explained = 1.0 - (share * left**2).sum(0) / (share * about**2).sum(0)
    return Fit(theta, explained, float(np.abs(left).max()), np.sqrt((share * left**2).sum(0)))


def bias_of(product: Product, before: Any, after: Any) -> np.ndarray:
    """Return theta_off - theta, [K, 8]: what the log's linear model is wrong by in the rounds, for
    terms of rewards of an instance."""
    return linear_fit(product, before, log=True).theta - linear_fit(product, after).theta


def excess_of(product: Product, bias: np.ndarray) -> np.ndarray:
    """Return by how much a bias [K, 8] exceeds the budgets, [K]: its distance from what a manifest
    allows single features, less `unchanged`; not above 0 where the certificate holds."""
    norm = np.sqrt(product.budgets[0, :, 0, 0])
    listed = np.sqrt(np.diagonal(product.budgets[1:], axis1=-2, axis2=-1)).sum(0)
    return np.linalg.norm(bias - np.clip(bias, -listed, listed), axis=-1) - norm


def _weighted(x: np.ndarray, mean: np.ndarray, weight: np.ndarray) -> np.ndarray:
    root = np.sqrt(weight)
    return np.linalg.lstsq(x * root[:, None], mean * root, rcond=None)[0]
