"""Random instances, and the steady state stated once more, so that no module is its own judge."""

import numpy as np
import pytest
from scipy.optimize import linprog

from lpo.serve import make_hardware, make_instance


def _random_instance(seed, classes=4, *, contention=True, load=1.0, patience=None):
    """Published ranges of random instances, arrivals scaled by `load`.

    contention: a solo iteration that is no slower than a mixed one, as the closed form needs.
    """
    rng = np.random.default_rng(seed)
    alpha, beta = rng.uniform(0.015, 0.02), 10 ** rng.uniform(-5, -3)
    chunk, tau_solo = 256, 1.0 / rng.uniform(10, 50)
    tau = alpha + beta * chunk
    if contention:
        tau_solo = min(tau_solo, tau)
    return make_instance(
        arrival=load * rng.uniform(0.25, 0.5, classes),
        prompt=rng.uniform(200, 3000, classes),
        decode=rng.uniform(200, 3000, classes),
        patience=rng.uniform(0.05, 0.5, classes) if patience is None else patience,
        hardware=make_hardware(
            batch=int(rng.integers(4, 33)), chunk=chunk, alpha=alpha, beta=beta, tau_solo=tau_solo
        ),
        price_prompt=rng.uniform(0.05, 0.2),
        price_decode=rng.uniform(0.1, 0.4),
    )


def _by_linprog(
    instance,
    *,
    separate=False,
    mixed=True,
    decode_queue=True,
    room=(0.0, 0.0, 0.0),
    rows=(),
    extra=0,
    weight=0.0,
):
    """Optimal value by SciPy over x, y_m, y_s, q_p, q_d (q_p: refused, where patience is 0).

    room: more prefill slots, decode slots beside a prefill, and others. rows: (coefficients
    [5 I + extra], right) of further rows <=. extra: columns appended, in [0, 1] and paid `weight`
    each.
    """
    lam, P, D, theta, hardware, c_p, c_d = instance
    I, B, C = len(lam), hardware.batch, hardware.chunk
    tau, gamma = hardware.alpha + hardware.beta * C, 1.0 / hardware.tau_solo
    mu_p, mu_m, mu_s = C / (P * tau), 1.0 / (D * tau), gamma / D
    leave, one, no = np.where(theta > 0, theta, 1.0), np.ones(I), np.zeros(I)
    if separate:
        cost = [c_p * C / tau * one, c_d / tau * one, c_d * gamma * one, no, no]
    else:
        w = c_p * P + c_d * D
        cost = [no, w * mu_m, w * mu_s, no, no]
    upper = [
        np.concatenate([one, no, no, no, no, np.zeros(extra)]),
        np.concatenate([-(B - 1) * one, one, no, no, no, np.zeros(extra)]),
        np.concatenate([B * one, no, one, no, no, np.zeros(extra)]),
    ]
    right = [1.0 + room[0], room[1], B + room[2]]
    for row, end in rows:
        upper.append(np.asarray(row, float))
        right.append(end)
    zero, wide = np.zeros((I, I)), np.zeros((I, extra))
    equal = [
        np.hstack([np.diag(mu_p), zero, zero, np.diag(leave), zero, wide]),
        np.hstack([np.diag(-mu_p), np.diag(mu_m), np.diag(mu_s), zero, np.diag(leave), wide]),
    ]
    bounds = [(0, None)] * I
    bounds += [(0, None if mixed else 0)] * I + [(0, None)] * (2 * I)
    bounds += [(0, None if decode_queue and t > 0 else 0) for t in theta]
    bounds += [(0, 1)] * extra
    found = linprog(
        -np.concatenate([*cost, np.full(extra, weight)]),
        A_ub=np.array(upper),
        b_ub=np.array(right),
        A_eq=np.vstack(equal),
        b_eq=np.concatenate([lam, no]),
        bounds=bounds,
        method="highs-ds",
    )
    return -found.fun if found.status == 0 else None


@pytest.fixture(scope="session")
def random_instance():
    return _random_instance


@pytest.fixture(scope="session")
def by_linprog():
    return _by_linprog
