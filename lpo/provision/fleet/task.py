"""The fleet as a decision task: a forecast of every slot becomes replicas, in dollars."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.errors import InputError
from lpo.optim.backend import Backend
from lpo.optim.layer import ConvexLayer
from lpo.provision.arrays import Array
from lpo.provision.fleet.cost import fleet_cost
from lpo.provision.fleet.parameters import Fleet, check, services
from lpo.provision.fleet.program import fleet_program
from lpo.provision.fleet.structured import structured_backend
from lpo.provision.fleet.units import normalise

PIECES = (8, 64, 256)  # rows of the programs that solve NumPy arrays

Solve = Callable[..., tuple[jax.Array, ...]]
"""`solve(demand [H], capacity, price, energy, startup, initial [K], unserved ()[, limit [K]])`.

Returns the variables of the relaxed program, the replicas [H, K] first; jit-, vmap- and grad-able,
as a `lpo.optim.ConvexLayer` is. The limit is passed when the fleet has a finite one.
"""


class FleetTask(NamedTuple):
    """Choose replicas of K configurations over H slots before the demand is known.

    The fields have the meaning they have in `CapacityTask`, for arrays with a last axis of slots.
    decide: forecast [..., H] tokens -> replicas [..., H, K], of the relaxed problem. cost:
    (replicas [..., H, K], demand [..., H]) -> [...] dollars over the horizon, the second stage at
    its best. optimum: demand -> replicas, the decision under a perfect forecast; no other decision
    costs less by more than the ridges' part (docs/fleet.md). plan: (forecast [..., H],
    initial [..., K]) -> replicas, `decide` from other initial replicas than the fleet's.
    """

    name: str
    decide: Callable[[Array], Array]
    cost: Callable[[Array, Array], Array]
    optimum: Callable[[Array], Array]
    fractile: None
    normalised: bool
    unit: str
    horizon: int
    fleet: Fleet
    plan: Callable[[Array, Array], Array]


def fleet_task(
    fleet: Fleet,
    horizon: int,
    *,
    backend: str | Backend | Solve = "structured",
    ridge_n: float = 1e-2,
    ridge_other: float = 1e-4,
    demand_scale: float | None = None,
    throw: bool = True,
) -> FleetTask:
    """Return the task of `fleet` over `horizon` slots.

    backend: the relaxation's solver: "structured" (`structured_backend`), another name or back end
    of `ConvexLayer`, or a function that solves (`Solve`), which has ridges of its own.
    ridge_n, ridge_other: as in `fleet_program`, in the units of `normalise`, in which the problem
    is solved. demand_scale: typical tokens a slot for these units; None: replicas as they are.

    decide, optimum and plan take a negative forecast as 0; JAX arrays have JAX's default float and
    are differentiable, NumPy arrays are solved and returned in float64. Where the relaxation is not
    solved, they fail as the layer does, or are NaN without `throw`.
    Raises InputError on a fleet without meaning (`check`), on several services, whose second
    stage has no closed form, and later on arrays whose last axis is not the horizon.
    """
    checked = check(fleet)
    if services(checked) is not None:
        raise InputError("A fleet task has one service, got a fleet with an axis of services.")
    scaled, units = normalise(checked, demand=demand_scale)
    limited = np.isfinite(scaled.limit)
    K = len(scaled.price)
    limits = bool(limited.any())
    solve = _relaxation(K, horizon, backend, ridge_n, ridge_other, limits=limits, throw=throw)

    @jax.jit
    def replicas(forecast: jax.Array, initial: jax.Array) -> jax.Array:
        """[B, H] tokens and [B, K] replicas -> [B, H, K], in the dtype of the arguments."""
        demand = jnp.maximum(forecast, 0.0) / units.tokens
        before = initial / units.replicas
        capacity, price, energy, startup, unserved = (
            jnp.asarray(field, demand.dtype) for field in (*scaled[:4], scaled.unserved)
        )
        limit = ()
        if limited.any():
            # Infinite becomes more than any optimal fleet has: what serves the peak alone.
            enough = jnp.max(demand) / capacity + jnp.max(before, axis=0) + 1.0
            bound = jnp.where(limited, scaled.limit, jax.lax.stop_gradient(enough))
            limit = (bound.astype(demand.dtype),)

        def one(row: jax.Array, running: jax.Array) -> jax.Array:
            return solve(row, capacity, price, energy, startup, running, unserved, *limit)[0]

        return units.replicas * jax.vmap(one)(demand, before)

    def plan(forecast: Array, initial: Array) -> Array:
        if forecast.shape[-1:] != (horizon,) or initial.shape[-1:] != (K,):
            raise InputError(
                f"A plan takes [..., {horizon}] slots and [..., {K}] initial replicas, "
                f"got {forecast.shape} and {initial.shape}."
            )
        lead = np.broadcast_shapes(forecast.shape[:-1], initial.shape[:-1])

        # Rows outside the compiled function: one compilation whatever the leading axes.
        def rows(array: Array, width: int) -> jax.Array:
            flat = jnp.asarray(array, jnp.result_type(float))
            return jnp.broadcast_to(flat, (*lead, width)).reshape(-1, width)

        def solved() -> jax.Array:
            return replicas(rows(forecast, horizon), rows(initial, K)).reshape(*lead, horizon, K)

        if isinstance(forecast, jax.Array) or isinstance(initial, jax.Array):
            return solved()
        return in_pieces(forecast, initial, lead)

    def in_pieces(forecast: np.ndarray, initial: np.ndarray, lead: tuple[int, ...]) -> np.ndarray:
        """NumPy arrays of any number of rows by programs of few sizes, compiled once each."""
        if throw and not (np.isfinite(forecast).all() and np.isfinite(initial).all()):
            raise InputError("A plan takes finite forecasts and initial replicas.")
        demand = np.broadcast_to(forecast, (*lead, horizon)).reshape(-1, horizon)
        before = np.broadcast_to(initial, (*lead, K)).reshape(-1, K)
        size = next((size for size in PIECES if len(demand) <= size), PIECES[-1])
        index = np.minimum(np.arange(-(-len(demand) // size) * size), len(demand) - 1)
        # A constant inside a function that is being compiled is solved while it is.
        with jax.ensure_compile_time_eval(), jax.enable_x64(True):
            pieces = [
                np.asarray(replicas(*(jnp.asarray(x[rows], jnp.float64) for x in (demand, before))))
                for rows in index.reshape(-1, size)
            ]
        empty = np.zeros((0, horizon, K))
        return np.concatenate([empty, *pieces])[: len(demand)].reshape(*lead, horizon, K)

    def decide(forecast: Array) -> Array:
        return plan(forecast, checked.initial)

    return FleetTask(
        name="fleet",
        decide=decide,
        cost=lambda n, demand: fleet_cost(checked, n, demand).total,
        optimum=decide,
        fractile=None,
        normalised=True,
        unit="$",
        horizon=horizon,
        fleet=checked,
        plan=plan,
    )


def _relaxation(
    configurations: int,
    horizon: int,
    backend: str | Backend | Solve,
    ridge_n: float,
    ridge_other: float,
    *,
    limits: bool,
    throw: bool,
) -> Solve:
    if callable(backend):
        return backend
    program = fleet_program(
        configurations, horizon, ridge_n=ridge_n, ridge_other=ridge_other, limits=limits
    )
    if backend == "structured":
        backend = structured_backend(ridge_n=ridge_n, ridge_other=ridge_other, limited=limits)
    return ConvexLayer(
        program.problem, program.parameters, program.variables, backend=backend, throw=throw
    )
