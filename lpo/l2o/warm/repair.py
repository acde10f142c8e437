"""From any numbers to a plan that can be carried out, and what that plan costs.

Clip to bounds, scale every GPU type into its stock, give up what serves nobody, cover what is not
served by the cheapest GPUs that are left, leave the rest unmet. docs/l2o_warm_starts.md, "Repair".
"""

from typing import NamedTuple

import jax
import numpy as np

from lpo.errors import InputError
from lpo.l2o.families.provisioning import Provisioning, arms


class Covering(NamedTuple):
    """B problems of the form of `families.provisioning`, in float64.

    rate: [J, K] demand that a unit of GPUs serves, 0 where it serves none. stock: [K].
    unmet_usd: of a unit of demand. demand: [B, J]. price: [B, K] of a unit of GPUs.
    """

    rate: np.ndarray
    stock: np.ndarray
    unmet_usd: float
    demand: np.ndarray
    price: np.ndarray


class Plan(NamedTuple):
    """gpus: [B, J, K]. unmet: [B, J], demand that nobody serves. usd: [B]."""

    gpus: np.ndarray
    unmet: np.ndarray
    usd: np.ndarray


def covering(problems: Provisioning) -> Covering:
    """Return the numbers of provisioning problems [B, ...]."""
    own = arms()
    demand, price = (np.asarray(part, np.float64) for part in jax.device_get(problems))
    return Covering(own.rate, own.stock, own.unmet_usd, demand, price)


def repair(problem: Covering, gpus: np.ndarray) -> Plan:
    """Return the plan nearest in spirit to gpus [B, J, K], which may be anything, NaN too.

    What a unit of demand costs, price / rate, decides: the dearest GPUs are given up first, the
    cheapest are added first, and none that costs more than leaving the demand unmet. Raises
    InputError on another shape.
    """
    B, J, K = len(problem.demand), *problem.rate.shape
    if gpus.shape != (B, J, K):
        raise InputError(f"`gpus` must be [{B}, {J}, {K}], got {gpus.shape}.")
    x = np.clip(np.nan_to_num(np.asarray(gpus, np.float64), nan=0.0), 0.0, problem.stock)
    rate = problem.rate
    x[:, rate <= 0.0] = 0.0
    x *= np.minimum(1.0, problem.stock / np.maximum(x.sum(1), 1e-300))[:, None]
    with np.errstate(divide="ignore"):
        unit_usd = np.where(rate > 0.0, problem.price[:, None] / rate, np.inf)
    order = unit_usd.reshape(B, -1).argsort(1, kind="stable")
    rows = np.arange(B)
    over = (rate * x).sum(2) - problem.demand
    for at in order.T[::-1]:  # the dearest first
        j, k = np.divmod(at, K)
        has = rate[j, k] > 0.0
        per = np.where(has, rate[j, k], 1.0)
        less = np.where(has, np.minimum(x[rows, j, k], np.maximum(over[rows, j], 0.0) / per), 0.0)
        x[rows, j, k] -= less
        over[rows, j] -= less * per
    left = np.maximum(problem.stock - x.sum(1), 0.0)
    for at in order.T:
        j, k = np.divmod(at, K)
        worth = unit_usd[rows, j, k] < problem.unmet_usd
        per = np.where(worth, rate[j, k], 1.0)
        more = np.where(
            worth, np.minimum(left[rows, k], np.maximum(-over[rows, j], 0.0) / per), 0.0
        )
        x[rows, j, k] += more
        left[rows, k] -= more
        over[rows, j] += more * per
    return plan(problem, x)


def plan(problem: Covering, gpus: np.ndarray) -> Plan:
    """Return what GPUs [B, J, K] leave unmet, and their cost."""
    unmet = np.maximum(problem.demand - (problem.rate * gpus).sum(2), 0.0)
    usd = (problem.price * gpus.sum(1)).sum(1) + problem.unmet_usd * unmet.sum(1)
    return Plan(gpus, unmet, usd)


def repaired(problems: Provisioning, z: np.ndarray | jax.Array) -> Plan:
    """Repair primal-dual or primal points z [B, >= J K] of provisioning problems [B, ...]."""
    problem = covering(problems)
    B, J, K = len(problem.demand), *problem.rate.shape
    return repair(problem, np.asarray(z, np.float64)[:, : J * K].reshape(B, J, K))


def primal(found: Plan) -> np.ndarray:
    """Return the plan as x [B, n], GPUs then unmet demand."""
    return np.concatenate([found.gpus.reshape(len(found.usd), -1), found.unmet], axis=1)


def repaired_gap(found: Plan, least: np.ndarray) -> np.ndarray:
    """Return (usd - least) / |least|, [B]; least: optima."""
    return (found.usd - least) / np.maximum(np.abs(least), 1e-12)
