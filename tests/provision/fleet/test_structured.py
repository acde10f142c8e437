"""The structured fleet solver against Clarabel, finite differences and the shipped instance."""

import json
from typing import Any, NamedTuple

import cvxpy as cp
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lpo.errors import InputError
from lpo.optim.backend import Status
from lpo.provision.fleet import default_catalogue, normalise, structured, to_fleet
from lpo.provision.fleet.structured import structured_backend

H, K, B = 4, 3, 16
RIDGE_N, RIDGE_OTHER = 1e-2, 1e-4


class Batch(NamedTuple):
    demand: Any
    capacity: Any
    price: Any
    energy: Any
    startup: Any
    initial: Any
    unserved: Any
    limit: Any


def draw(seed: int) -> Batch:
    """Close competitors, some limited, with a fleet running: every parameter matters."""
    rng = np.random.default_rng(seed)
    capacity = rng.uniform(4, 20, (B, K))
    return Batch(
        demand=rng.uniform(5, 60, (B, H)),
        capacity=capacity,
        price=rng.uniform(0.14, 0.16, (B, K)) * capacity,
        energy=rng.uniform(0.01, 0.03, (B, K)),
        startup=rng.uniform(0.01, 0.1, (B, K)),
        initial=rng.uniform(0, 2, (B, K)),
        unserved=rng.uniform(0.18, 0.4, B),
        limit=np.where(rng.random((B, K)) < 0.6, rng.uniform(0.5, 2, (B, K)), np.inf),
    )


RNG = np.random.default_rng(0)
WEIGHTS = (*RNG.normal(size=(3, H, K)), RNG.normal(size=H))


def loss(values) -> jax.Array:
    weighted = (v * jnp.asarray(w, v.dtype) for v, w in zip(values, WEIGHTS, strict=True))
    return sum(x.sum() for x in weighted) + (values[0] ** 2).sum()


@pytest.fixture(scope="module")
def solve():
    """Solutions, losses and gradients of a batch in float64: one compiled program."""
    backend = structured_backend(limited=True)

    def one(*params):
        solution = backend.solve(*params)
        return loss(solution.values), solution

    program = jax.jit(jax.vmap(jax.value_and_grad(one, argnums=tuple(range(8)), has_aux=True)))

    def run(batch: Batch):
        with jax.enable_x64(True):
            (losses, solution), gradients = program(*batch)
        return np.asarray(losses), jax.tree.map(np.asarray, solution), Batch(*gradients)

    return run


def clarabel(batch: Batch, i: int) -> tuple[np.ndarray, float]:
    p = Batch(*(np.asarray(x[i]) for x in batch))
    n, q, s = (cp.Variable((H, K), nonneg=True) for _ in range(3))
    u = cp.Variable(H, nonneg=True)
    before = cp.vstack([p.initial[None], n[:-1]])
    rows = [
        q <= cp.multiply(n, np.tile(p.capacity, (H, 1))),
        cp.sum(q, axis=1) + u == p.demand,
        s >= n - before,
    ]
    rows += [n[:, k] <= p.limit[k] for k in range(K) if np.isfinite(p.limit[k])]
    cost = cp.sum(n @ p.price) + cp.sum(q @ p.energy) + cp.sum(s @ p.startup)
    cost += p.unserved * cp.sum(u) + RIDGE_N * cp.sum_squares(n)
    cost += RIDGE_OTHER * (cp.sum_squares(q) + cp.sum_squares(s) + cp.sum_squares(u))
    problem = cp.Problem(cp.Minimize(cost), rows)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    return np.asarray(n.value), float(np.asarray(problem.value))


def objective(batch: Batch, values, i: int) -> float:
    n, q, s, u = (v[i] for v in values)
    p = Batch(*(x[i] for x in batch))
    cost = (n @ p.price + q @ p.energy + s @ p.startup).sum() + p.unserved * u.sum()
    squares = RIDGE_OTHER * sum((x**2).sum() for x in (q, s, u))
    return float(cost + RIDGE_N * (n**2).sum() + squares)


def test_instance_has_the_published_solutions_and_gradients(azure_root):
    path = azure_root / "fleet" / "instance_h12_k10.json"
    if not path.exists():
        pytest.skip("skipped: no data")
    data = json.loads(path.read_text())
    keys = "capacity_tokens_per_slot price_usd_per_slot energy_usd_per_token startup_usd"
    backend = structured_backend(ridge_n=data["ridge_n"], ridge_other=data["ridge_other"])
    rest = [data[key] for key in (*keys.split(), "initial_fleet", "unserved_usd_per_token")]

    def squares(demand):
        solution = jax.vmap(lambda d: backend.solve(d, *rest))(demand)
        return (solution.values[0] ** 2).sum(), solution

    with jax.enable_x64(True):
        rest = [jnp.asarray(x, float) for x in rest]
        demand = jnp.asarray(data["demand"], float)
        gradient, solution = jax.jit(jax.grad(squares, has_aux=True))(demand)
    assert (solution.status == Status.SOLVED).all()
    assert solution.residual.max() < 1e-11
    n, q, s, u = (np.asarray(v) for v in solution.values)
    capacity, price, energy, startup, _, unserved = (np.asarray(x) for x in rest)
    assert (q <= capacity * n + 1e-9).all()
    linear = (n @ price + q @ energy + s @ startup).sum(1) + unserved * u.sum(1)
    other = sum((x**2).reshape(len(demand), -1).sum(1) for x in (q, s, u))
    ridges = data["ridge_n"] * (n**2).sum((1, 2)) + data["ridge_other"] * other
    # ties between slots are broken by 2e-7 of the largest demand
    np.testing.assert_allclose(linear + ridges, data["relaxed_objective"], rtol=1e-6)
    np.testing.assert_allclose(n[:8], data["relaxed_n"], atol=1e-5)
    expected = np.asarray(data["grad_sum_n_squared"])
    np.testing.assert_allclose(gradient[:8], expected, atol=1e-5 * np.abs(expected).max())


def changed(batch: Batch, **columns) -> Batch:
    return batch._replace(**{name: np.asarray(x, float) for name, x in columns.items()})


def special_cases() -> Batch:
    """One row a case; the others stay ordinary."""
    batch = Batch(*(x.copy() for x in draw(1)))
    batch.demand[0] = [0, 30, 0, 10]
    batch.demand[1] = 0
    batch.demand[2] = [1e-6, 1e6, 1.0, 1e3]
    batch.initial[3] = 1e3
    batch.limit[4] = [0, 0, 1]
    batch.limit[5] = np.inf
    batch.unserved[6] = 1e-3  # serving nothing is best
    batch.unserved[7] = 1e4
    batch.price[8], batch.startup[8] = 0, 0
    for row in (batch.price, batch.energy, batch.startup, batch.capacity, batch.limit):
        row[9] = row[9, 0]  # equal configurations
    batch.initial[9] = 0
    for scale, i in ((1e3, 10), (1e-3, 11)):  # another unit of tokens
        for x, factor in zip(
            (batch.demand, batch.capacity, batch.energy, batch.unserved),
            (scale, scale, 1 / scale, 1 / scale),
            strict=True,
        ):
            x[i] *= factor
    batch.startup[12] *= 1e4
    return batch


def test_solutions_are_clarabels_in_ordinary_and_degenerate_cases(solve):
    batch = special_cases()
    _, solution, gradients = solve(batch)
    assert (solution.status == Status.SOLVED).all()
    assert solution.residual.max() < 1e-9
    assert all(np.isfinite(g).all() for g in gradients)
    for i in range(14):
        n, value = clarabel(batch, i)
        np.testing.assert_allclose(
            objective(batch, solution.values, i), value, rtol=1e-6, atol=1e-5, err_msg=str(i)
        )
        fleet = max(np.abs(n).max(), 1.0)
        np.testing.assert_allclose(solution.values[0][i], n, atol=1e-5 * fleet, err_msg=str(i))


@pytest.mark.parametrize("name", Batch._fields)
def test_gradient_is_the_difference_on_both_sides_or_on_one(solve, name):
    batch = draw(2)
    here, solution, gradients = solve(batch)
    x = getattr(batch, name)
    finite = np.isfinite(x)
    direction = np.where(finite, np.random.default_rng(3).normal(size=x.shape), 0)
    largest = np.abs(x[finite]).max()
    gradient = np.asarray(getattr(gradients, name))
    product = (gradient * direction).reshape(B, -1).sum(1)
    error = np.full(B, np.inf)
    for step in (1e-5 * largest, 1e-6 * largest, 1e-7 * largest):
        up, down = (
            solve(batch._replace(**{name: np.where(finite, x + sign * step * direction, x)}))[0]
            for sign in (1, -1)
        )
        # A kink may lie inside the step; then one side has the derivative of here.
        measured = np.stack([up - down, 2 * (up - here), 2 * (here - down)]) / (2 * step)
        error = np.fmin(error, np.abs(measured - product).min(0))
    scale = np.abs(gradient).reshape(B, -1).max(1) + 1e-3 * np.abs(here) / largest
    smooth = solution.gap > 1e-3
    assert smooth.sum() >= 6
    assert (error / scale)[smooth].max() < 1e-4


def test_gradient_at_a_kink_is_one_of_the_one_sided_ones(solve):
    free = changed(draw(4), limit=np.full((B, K), np.inf))
    n = solve(free)[1].values[0]
    rows = np.arange(B)
    best = n.max(1).argmax(1)
    peak = n[rows, :, best].argmax(1)
    limit = np.full((B, K), np.inf)
    limit[rows, best] = n[rows, peak, best]  # binds, with a multiplier of zero
    at_kink = changed(free, limit=limit)
    _, solution, gradients = solve(at_kink)
    weak = solution.gap < 1e-5

    def moved(step: float) -> np.ndarray:
        demand = free.demand.copy()
        demand[rows, peak] += step
        return solve(changed(at_kink, demand=demand))[0]

    # Not from the kink itself: there a solution is only good to the root of the tolerance.
    step = 3e-3
    right = (moved(2 * step) - moved(step)) / step
    left = (moved(-step) - moved(-2 * step)) / step
    gradient = np.asarray(gradients.demand)[rows, peak]
    differ = weak & (np.abs(right - left) > 0.1)
    assert differ.sum() >= 5
    error = np.minimum(np.abs(gradient - right), np.abs(gradient - left))
    assert (error[differ] < 1e-3 * (1 + np.abs(gradient[differ]))).all()


def test_an_unused_configuration_is_not_hurt_by_a_first_replica(solve):
    # Dear in every way: whatever runs at the start is stopped at once, and the loss sees nothing.
    batch = changed(draw(5), initial=np.zeros((B, K)))
    batch.price[:, 0] *= 3
    _, _, gradients = solve(batch)
    np.testing.assert_allclose(gradients.initial[:, 0], 0, atol=1e-6)


def test_bad_rows_are_named_and_spoil_no_other(solve):
    batch = draw(6)
    good = solve(batch)
    bad = Batch(*(x.copy() for x in batch))
    bad.demand[0, 1] = np.nan
    bad.price[1, 0] = np.inf
    bad.demand[2, 3] = -1
    bad.limit[3, 0] = -1
    bad.limit[4, 0] = np.nan
    _, solution, gradients = solve(bad)
    expected = [Status.FAILED] * 2 + [Status.INFEASIBLE] * 2 + [Status.FAILED]
    assert solution.status[:5].tolist() == expected
    assert all(np.isnan(v[:5]).all() for v in (*solution.values, *gradients))
    for ours, theirs in zip(
        (*solution.values, *gradients), (*good[1].values, *good[2]), strict=True
    ):
        np.testing.assert_array_equal(ours[5:], theirs[5:])


def test_float32_program_with_scan_nested_vmap_and_chunks(solve, monkeypatch):
    monkeypatch.setattr(structured, "CHUNK", 5)  # 16 rows: four chunks of four
    batch = draw(7)
    expected = solve(batch)
    backend = structured_backend(limited=True)

    def step(total, rows):
        def value(params):
            solution = jax.vmap(lambda demand, params=params: backend.solve(demand, *params[1:]))(
                params[0][None]
            )
            return loss(jax.tree.map(lambda x: x[0], solution.values))

        values, gradients = jax.vmap(jax.vmap(jax.value_and_grad(value)))(rows)
        return total + values.sum(), (values, gradients)

    rows = Batch(*(jnp.asarray(x.reshape(1, 2, 8, *x.shape[1:]), jnp.float32) for x in batch))
    total, (values, gradients) = jax.jit(lambda rows: jax.lax.scan(step, 0.0, rows))(rows)
    assert values.dtype == jnp.float32 and gradients.demand.dtype == jnp.float32
    np.testing.assert_allclose(values.reshape(B), expected[0], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(total, expected[0].sum(), rtol=1e-4)
    smooth = expected[1].gap > 1e-3
    for ours, theirs in zip(gradients, expected[2], strict=True):
        scale = np.abs(theirs).max() + 1e-3
        np.testing.assert_allclose(
            np.asarray(ours).reshape(theirs.shape)[smooth], theirs[smooth], atol=1e-4 * scale
        )


def test_a_row_without_cotangent_has_no_gradient_even_if_it_failed(solve):
    backend = structured_backend(smoothing=1e-10)  # the option, in the program that this compiles
    batch = changed(draw(2), limit=np.full((B, K), np.inf))
    _, solution, gradients = solve(batch)
    row = solution.gap.argmax()  # farthest from a kink, where smoothing does least
    params = [jnp.asarray(x[row], jnp.float32) for x in batch[:7]]

    def masked(demand):
        solution = backend.solve(demand, *params[1:])
        solved = solution.status == Status.SOLVED
        return loss([jnp.where(solved, v, 0.0) for v in solution.values])

    gradient = jax.jit(jax.grad(masked))
    assert not np.asarray(gradient(params[0] * np.nan)).any()
    expected = np.asarray(gradients.demand)[row]
    np.testing.assert_allclose(gradient(params[0]), expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("option", [{"ridge_n": 0.0}, {"ridge_other": -1.0}, {"smoothing": 0.0}])
def test_options_that_are_not_positive_are_refused(option):
    with pytest.raises(InputError, match="must be positive"):
        structured_backend(**option)


def test_wrong_shapes_are_refused():
    solve = structured_backend().solve
    params = [x[0] for x in draw(0)]
    with pytest.raises(InputError, match="got 8 arrays"):
        solve(*params)
    with pytest.raises(InputError, match="demand \\[H\\]"):
        solve(params[0], params[1][:2], *params[2:7])
    with pytest.raises(InputError, match="demand \\[H\\]"):
        solve(params[0], *params[1:6], params[0])


def real_fleet(slot_s: float) -> list[np.ndarray]:
    """The built-in catalogue in the units of the task, without demand and initial fleet."""
    numbers, _ = normalise(to_fleet(default_catalogue(), slot_s), demand=30_000 * slot_s)
    return [np.asarray(value) for value in (*numbers[:4], numbers.unserved)]


@pytest.fixture(scope="module")
def catalogue():
    """Solutions and gradients of sum(n^2) on the built-in catalogue, 6 slots, float64."""
    backend = structured_backend()

    def one(demand, capacity, price, energy, startup, unserved, initial):
        def squares(demand):
            solution = backend.solve(demand, capacity, price, energy, startup, initial, unserved)
            return jnp.sum(solution.values[0] ** 2), solution

        return jax.value_and_grad(squares, has_aux=True)(demand)

    program = jax.jit(jax.vmap(one, in_axes=(0, None, None, None, None, None, 0)))

    def solve(slot_s, demand, initial):
        with jax.enable_x64(True):
            (value, solution), gradient = program(demand, *real_fleet(slot_s), initial)
            return np.asarray(value), solution, np.asarray(gradient)

    return solve


@pytest.mark.parametrize("slot_s", [60.0, 3600.0])
def test_plans_of_the_catalogue_from_a_running_fleet_are_those_of_clarabel(slot_s, catalogue):
    rng = np.random.default_rng(1)
    demand = 50 * rng.lognormal(0, 0.3, (16, 6))
    initial = rng.integers(0, 6, (16, 10)) * (rng.random((16, 10)) < 0.3)
    _, solution, _ = catalogue(slot_s, demand, initial.astype(float))
    assert not np.any(solution.status) and np.max(solution.residual) < 1e-9
    capacity, price, energy, startup, unserved = real_fleet(slot_s)
    n, q, s = (cp.Variable((6, 10)) for _ in range(3))
    u, d, before = cp.Variable(6), cp.Parameter(6), cp.Parameter(10)
    cost = cp.sum(n @ price) + cp.sum(q @ energy) + cp.sum(s @ startup) + unserved * cp.sum(u)
    ridge = RIDGE_N * cp.sum_squares(n) + RIDGE_OTHER * sum(map(cp.sum_squares, (q, s, u)))
    limits: list[Any] = [v >= 0 for v in (n, q, s, u)]
    limits += [q <= n @ np.diag(capacity), cp.sum(q, axis=1) + u == d]
    limits += [s[0] >= n[0] - before, s[1:] >= n[1:] - n[:-1]]
    problem = cp.Problem(cp.Minimize(cost + ridge), limits)
    options = {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}
    for i in range(16):
        d.value, before.value = demand[i], initial[i]
        problem.solve(solver=cp.CLARABEL, **options)
        expected = np.asarray(n.value)
        largest = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(solution.values[0][i], expected, atol=1e-5 * largest)


@pytest.mark.parametrize("demand", [[50, 50, 60, 40, 70, 30], [30, 50, 50, 50, 50, 20], [50] * 6])
def test_equal_demands_in_neighbouring_slots_have_a_one_sided_derivative(demand, catalogue):
    """Multipliers are not unique there; a least-squares answer would share the gradient out."""
    step = 1e-3
    rows = np.array(demand, float) + step * np.concatenate(
        [np.zeros((1, 6)), np.eye(6), -np.eye(6), np.zeros((3, 6))]
    )
    value, _, gradient = catalogue(300.0, rows, np.zeros((16, 10)))
    up, down = (value[1:7] - value[0]) / step, (value[0] - value[7:13]) / step
    low, high = np.minimum(up, down), np.maximum(up, down)
    slack = 2e-3 * np.abs(gradient[0]).max()
    assert np.all(gradient[0] >= low - slack) and np.all(gradient[0] <= high + slack)
    # an element of the generalised Jacobian: moving all slots together has one derivative
    together = catalogue(300.0, rows[:1].repeat(16, 0) + step, np.zeros((16, 10)))[0][0]
    assert gradient[0].sum() == pytest.approx((together - value[0]) / step, rel=1e-3)


def test_demand_that_is_computed_in_the_same_program_is_one_demand():
    """Fused float32 arithmetic, rounded differently in each use, would leave residuals of 1e-7."""
    backend = structured_backend()
    numbers = [jnp.asarray(value, jnp.float32) for value in real_fleet(60.0)]
    initial = jnp.zeros(10)

    @jax.jit
    def residuals(history, weights):
        level = history.mean(axis=-1, keepdims=True)
        spread = jnp.sqrt(jnp.square(history - level).mean(axis=-1, keepdims=True))
        forecast = jax.nn.relu(level + spread * (((history - level) / spread) @ weights)) / 7.0
        solve = lambda d: backend.solve(d, *numbers[:4], initial, numbers[4])  # noqa: E731
        return jax.vmap(solve)(forecast).residual

    rng = np.random.default_rng(0)
    history = jnp.asarray(350 * rng.lognormal(0, 0.2, (64, 30)), jnp.float32)
    weights = jnp.asarray(1e-3 * rng.normal(size=(30, 12)), jnp.float32)
    assert np.max(residuals(history, weights)) < 1e-9
