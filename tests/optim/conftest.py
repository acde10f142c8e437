"""The relaxed fleet problem stated once more, so that no module of lpo is its own judge."""

import json
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

Problem: Any = cp.Problem  # its type knows nothing of comparisons of expressions


def _fleet_model(slots, configurations):
    """Problem, parameters and variables; ridges 1e-2 on replicas, 1e-4 on everything else."""
    shape = (slots, configurations)
    n, q, s = (cp.Variable(shape, name=name) for name in "nqs")
    u = cp.Variable(slots, name="u")
    demand = cp.Parameter(slots, name="demand", nonneg=True)
    capacity, price, energy, startup, initial = (
        cp.Parameter(configurations, name=name, nonneg=True)
        for name in ("capacity", "price", "energy", "startup", "initial")
    )
    unserved = cp.Parameter(name="unserved", nonneg=True)
    cost = cp.sum(n @ price) + cp.sum(q @ energy) + cp.sum(s @ startup) + unserved * cp.sum(u)
    ridge = 1e-2 * cp.sum_squares(n) + 1e-4 * sum(cp.sum_squares(v) for v in (q, s, u))
    constraints = [
        n >= 0,
        q >= 0,
        s >= 0,
        u >= 0,
        q <= n @ cp.diag(capacity),
        cp.sum(q, axis=1) + u == demand,
        s[0] >= n[0] - initial,
        s[1:] >= n[1:] - n[:-1],
    ]
    parameters = [demand, capacity, price, energy, startup, initial, unserved]
    return Problem(cp.Minimize(cost + ridge), constraints), parameters, [n, q, s, u]


def _random_fleet(rng, slots, configurations):
    """Parameter values in the order of `fleet_model`, in the ranges of the shipped instance."""
    return [
        rng.uniform(10, 60, slots),
        rng.uniform(3, 12, configurations),
        rng.uniform(0.5, 2, configurations),
        rng.uniform(0.01, 0.05, configurations),
        rng.uniform(0.2, 1, configurations),
        rng.uniform(0, 3, configurations),
        np.float64(2.5),
    ]


@pytest.fixture(scope="session")
def fleet_model():
    """Function of slots and configurations."""
    return _fleet_model


@pytest.fixture(scope="session")
def random_fleet():
    """Function of a generator, slots and configurations."""
    return _random_fleet


@pytest.fixture(scope="session")
def fleet_instance(azure_root):
    """The instance file below the data root and its parameter values without the demand."""
    with open(azure_root / "fleet" / "instance_h12_k10.json") as file:
        instance = json.load(file)
    names = (
        "capacity_tokens_per_slot",
        "price_usd_per_slot",
        "energy_usd_per_token",
        "startup_usd",
        "initial_fleet",
        "unserved_usd_per_token",
    )
    return instance, [np.asarray(instance[name], np.float64) for name in names]
