"""Second stage of several services that share replicas: a small linear program."""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from lpo.errors import InputError
from lpo.provision.fleet.dispatch import Dispatch
from lpo.provision.fleet.parameters import Fleet, services


def dispatch_services(fleet: Fleet, n: np.ndarray, demand: np.ndarray) -> Dispatch:
    """Return the cheapest way to serve I services with the fleet `n`, slot by slot.

    n: [..., H, K] replicas, demand: [..., I, H] tokens, both >= 0; leading axes broadcast. A
    replica may split the time of a slot: with q tokens of service i on configuration k,

        min sum(energy q) + sum(unserved u),  q, u >= 0,  sum_k q[i,k] + u[i] = demand[i],
        sum_i q[i,k] / capacity[i,k] <= n[k],

    where q[i,k] = 0 for a capacity of 0. All slots go into one sparse program (HiGHS); float64,
    not differentiable. Returns served [..., I, H, K] and unserved [..., I, H]. Raises InputError on
    a fleet without an axis of services, shapes that do not agree, negative or non-finite numbers.
    """
    I, K = services(fleet), len(fleet.price)
    if I is None:
        raise InputError("`dispatch_services` needs a fleet with an axis of services.")
    replicas, wanted = np.asarray(n, np.float64), np.asarray(demand, np.float64)
    if replicas.shape[-1:] != (K,) or wanted.shape[-2:] != (I, *replicas.shape[-2:-1]):
        raise InputError(
            f"`n` must be [..., slots, {K}] and `demand` [..., {I}, slots], "
            f"got {replicas.shape} and {wanted.shape}."
        )
    for name, array in (("n", replicas), ("demand", wanted)):
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise InputError(f"`{name}` must be finite and not negative.")
    # Time needs no sign of its own: cells = every slot of every leading index.
    wanted = np.moveaxis(wanted, -2, -1)
    lead = np.broadcast_shapes(replicas.shape[:-1], wanted.shape[:-1])
    most = np.broadcast_to(replicas, (*lead, K)).reshape(-1, K)
    tokens = np.broadcast_to(wanted, (*lead, I)).reshape(-1, I)

    # Variables of a cell: share of its demand that service i has served by k ([I, K], row-major),
    # then the share left. Shares keep the numbers of the program near one, whatever the units.
    size, cells = I * K + I, len(tokens)
    can = np.asarray(fleet.capacity, np.float64) > 0
    per_token = np.divide(1.0, fleet.capacity, out=np.zeros((I, K)), where=can)
    cost = np.hstack(
        [
            (tokens[:, :, None] * fleet.energy).reshape(cells, -1),
            tokens * np.asarray(fleet.unserved),
        ]
    )
    takes = tokens[:, :, None] * per_token  # replicas of k that all of service i would take
    cell, i, k = (index.ravel() for index in np.indices((cells, I, K)))
    time = sparse.csr_array(
        (takes.ravel(), (cell * K + k, cell * size + i * K + k)), shape=(cells * K, cells * size)
    )
    served = sparse.hstack([sparse.kron(sparse.eye_array(I), np.ones((1, K))), sparse.eye_array(I)])
    upper = np.hstack([np.where(can, 1.0, 0.0).ravel(), np.ones(I)])
    scale = max(float(np.max(cost)), np.finfo(float).tiny)
    solved = linprog(
        cost.ravel() / scale,
        A_ub=time,
        b_ub=most.ravel(),
        A_eq=sparse.kron(sparse.eye_array(cells), served, format="csr"),
        b_eq=np.ones(cells * I),
        bounds=np.column_stack([np.zeros(cells * size), np.tile(upper, cells)]),
        method="highs",
    )
    # Feasible (everything unserved) and bounded: anything but an optimum is the solver's failure.
    if solved.x is None or solved.status != 0:
        raise RuntimeError(f"HiGHS found no second stage: {solved.message}")
    share = solved.x.reshape(cells, size)
    q = share[:, : I * K].reshape(*lead, I, K) * tokens.reshape(*lead, I, 1)
    u = share[:, I * K :].reshape(*lead, I) * tokens.reshape(*lead, I)
    return Dispatch(np.moveaxis(q, -2, -3), np.moveaxis(u, -1, -2))
