"""Allocation instances that differ in demand and prices: their relaxation and their numbers.

p multiplies arrivals by query type and prices by GPU tier. The relaxation is that of
`lpo.allocate.build`, written once there; here its rows get JAX numbers. docs/l2o_warm_starts.md.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model.columns import Columns, make_columns
from lpo.allocate.model.program import Program, build, values_of
from lpo.allocate.options import CORRECTED, Options
from lpo.allocate.uncertainty import Ellipsoid, Uncertainty
from lpo.errors import InputError
from lpo.l2o.linear import LinearFamily, features_by


class Multipliers(NamedTuple):
    """demand: [I] of arrivals by query type. price: [K] of a GPU by tier. 1 is the instance's."""

    demand: jax.Array
    price: jax.Array


class AllocationFamily(NamedTuple):
    """linear: the relaxation. program: that it was made of, whose columns its variables are. usd:
    dollars of a unit of its cost."""

    linear: LinearFamily
    program: Program
    usd: float


def at(instance: Instance, problem: Multipliers) -> Instance:
    """Return the instance with other demand and prices, in float64 NumPy."""
    return instance._replace(data=_scaled(instance.data, jax.tree.map(_float64, problem)))


def multipliers(base: Instance, instance: Instance) -> Multipliers:
    """Return the p at which `at(base, p)` is `instance`, in float64 NumPy; infinite where the base
    has nothing and the instance has something.

    Raises InputError where they differ in more than arrivals and prices.
    """
    moved = ("arrivals_per_hour", "price_usd_per_hour")
    for name, old, new in zip(base.data._fields, base.data, instance.data, strict=True):
        if np.shape(old) != np.shape(new) or not (name in moved or np.array_equal(old, new)):
            raise InputError(
                f"`{name}` differs from that of {base.name}, around which relaxations were solved; "
                f"only {' and '.join(moved)} may."
            )
    if base.tensor_parallel != instance.tensor_parallel:
        raise InputError(f"`tensor_parallel` must be {base.tensor_parallel}, as in {base.name}.")
    ratios = []
    for name in moved:
        old, new = (np.asarray(getattr(each.data, name), np.float64) for each in (base, instance))
        none = np.where(new > 0.0, np.inf, 1.0)
        ratios.append(np.divide(new, old, out=none, where=old > 0.0))
    return Multipliers(*ratios)


def allocation(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    columns: Columns | None = None,
    demand_spread: float = 0.15,
    price_spread: float = 0.15,
) -> AllocationFamily:
    """Return the family of relaxations around an instance.

    **Arguments:**

    - `columns`: what the relaxation may use, such as those of `used`; None: the largest degree of
      every pair, all routes.
    - `demand_spread`, `price_spread`: standard deviations of the logarithms of the multipliers;
      half of the variance of demand is common to all query types, as a day is.

    **Raises:** InputError on ellipsoids, which are not linear, and spreads that are not positive.
    """
    if not (0.0 < demand_spread < np.inf and 0.0 < price_spread < np.inf):
        raise InputError(f"Spreads must be positive, got {demand_spread}, {price_spread}.")
    columns = make_columns(instance, largest_degree_only=True) if columns is None else columns
    program = build(instance, options, uncertainty, columns=columns)
    if any(isinstance(each, Ellipsoid) for each in program.uncertainty):
        raise InputError("The relaxation takes budgets and boxes, not ellipsoids.")
    data, layout = instance.data, program.layout
    I, _, K, _ = instance.shape
    blocks = program.rows(data, program.numbers(data))
    heights = np.cumsum([0, *(block.count for block in blocks)])
    at_row = np.concatenate([b.row + top for b, top in zip(blocks, heights[:-1], strict=True)])
    # storage and budget are stated in GB and $: as fractions, no row outweighs the others
    ends = np.concatenate([np.broadcast_to(b.right, b.count) for b in blocks])
    size = np.array(1.0 / np.maximum(np.abs(ends), 1.0), np.float32)
    # a replica of the median deployment
    usd = float(np.median(program.numbers(data).rent)) or 1.0
    upper = np.full(layout.n, 1.0)  # worst cases too: they count in largest deviations
    upper[: len(columns.degree)] = float(options.replicas)

    def sample(key: jax.Array) -> Multipliers:
        of_all, of_each, of_price = jax.random.split(key, 3)
        together, own = jax.random.normal(of_all, ()), jax.random.normal(of_each, (I,))
        level = demand_spread * (together + own) / np.sqrt(2.0)
        return Multipliers(
            jnp.exp(level), jnp.exp(price_spread * jax.random.normal(of_price, (K,)))
        )

    def at_problem(problem: Multipliers) -> InstanceData:
        return _scaled(jax.tree.map(lambda leaf: np.array(leaf, np.float32), data), problem)

    def cost(problem: Multipliers) -> jax.Array:
        given = at_problem(problem)
        total = jnp.zeros(layout.n, problem.demand.dtype)
        for entries in program.objective(given, program.numbers(given)).values():
            for _, where, value in entries:
                total = total.at[where].add(jnp.broadcast_to(value, np.shape(where)) / usd)
        return total

    def entries(problem: Multipliers) -> jax.Array:
        given = at_problem(problem)
        rows = program.rows(given, program.numbers(given))
        values = jnp.concatenate([value for block in rows for value in values_of(block, jnp)])
        return -values * size[at_row]

    def right(problem: Multipliers) -> jax.Array:
        given = at_problem(problem)
        rows = program.rows(given, program.numbers(given))
        ends = [jnp.broadcast_to(jnp.asarray(b.right), (b.count,)) for b in rows]
        return -jnp.concatenate(ends).astype(problem.demand.dtype) * size

    def raw(problem: Multipliers) -> jax.Array:
        return jnp.log(jnp.concatenate([problem.demand, problem.price]))

    linear = LinearFamily(
        name=f"allocation_{instance.name}",
        sample=sample,
        cost=cost,
        row=at_row,
        column=np.concatenate([block.column for block in blocks]),
        entries=entries,
        right=right,
        equal=np.concatenate([np.full(b.count, b.equation) for b in blocks]),
        lower=np.zeros(layout.n),
        upper=upper,
        features=features_by(sample, raw, jax.random.PRNGKey(0), count=4096),
    )
    return AllocationFamily(linear, program, usd)


def used(program: Program, x: np.ndarray, least: float = 1e-6) -> Columns:
    """Return the deployments and routes that any of the points x [B, n] of a program uses.

    A route is kept to every deployment of a pair that its query type uses.
    """
    columns, layout, instance = program.columns, program.layout, program.instance
    C, R = len(columns.degree), len(columns.route_type)
    some = (x[:, layout.replicas : layout.replicas + C] > least).any(0)
    flow = (x[:, layout.share : layout.share + R] > least).any(0)
    deployments = np.zeros(instance.shape[1:], bool)
    where = columns.model, columns.tier, columns.degree_index
    deployments[tuple(part[some] for part in where)] = True
    routes = np.zeros(instance.shape, bool)
    c = columns.route_deployment[flow]
    routes[columns.route_type[flow], columns.model[c], columns.tier[c]] = True
    return make_columns(instance, deployments=deployments, routes=routes & deployments)


def _scaled(data: InstanceData, problem: Multipliers) -> InstanceData:
    return data._replace(
        arrivals_per_hour=data.arrivals_per_hour * problem.demand,
        price_usd_per_hour=data.price_usd_per_hour * problem.price,
    )


def _float64(leaf: jax.Array) -> np.ndarray:
    return np.asarray(leaf, np.float64)
