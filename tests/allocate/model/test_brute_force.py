"""Optima of random small instances against a brute force that shares no line with the program.

Every placement is tried. The shares of one are a linear program, written from docs/allocate.md,
whose worst cases are rows, one for every corner of the uncertainty set, not dual variables.
"""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog

from lpo.allocate.instance import Instance, InstanceData, check_instance
from lpo.allocate.model.exact import solve_allocation
from lpo.allocate.options import make_options
from lpo.allocate.uncertainty import Box, Uncertainty, budget
from tests.solvers import BACKENDS

SOLVER = BACKENDS[0]


def random_instance(seed, options):
    """Two of each and degrees 1 and 2; limits so tight that many bind and some cannot be kept."""
    rng = np.random.default_rng(seed)
    I = J = K = 2

    def around(centre, *shape):
        return centre * rng.uniform(0.5, 1.5, shape)

    tokens = around(100.0, I)
    arrivals = around(10.0, I)
    physical = not options.legacy_units
    # physical units: arrivals of 10 an hour, a thousand tokens; replicas are to be worth renting
    load = (1e-5 / 3.6 if physical else 1.0) / options.replicas**2
    data = InstanceData(
        weights_gb=around(1.0, J) * rng.choice([6.0, 12.0, 24.0], J),
        kv_gb_per_token=around(1.0, J) * rng.choice([0.004, 0.02, 0.06], J),
        memory_gb=around(20.0, K),
        compute_tflops=around(load, K) * rng.choice([40.0, 90.0], K),
        price_usd_per_hour=around(1.0, K),
        tier_limit=options.replicas * rng.choice([1.0, 2.0, 3.0, 4.0, np.inf], K),
        input_tokens=0.4 * tokens,
        output_tokens=0.6 * tokens,
        arrivals_per_hour=arrivals,
        tflop_per_kilotoken=around(1.0, I) * rng.choice([0.5, 1.0], I),
        data_per_token=around(0.01, I) * (1000.0 if physical else 1.0),
        delay_usd_per_ms=around(0.01, I),
        unmet_usd=around(1.0, I) * rng.choice([0.02, 1.0, 10.0], I),
        unmet_cap=rng.choice([0.0, 0.1, 0.4, 1.0], I),
        delay_limit_ms=tokens * rng.uniform(0.4, 1.5, I),
        error_limit=rng.uniform(0.08, 0.25, I),
        delay_ms_per_token=around(1.0, I, J, K),
        delay_deviation=around(0.5, I, J, K),
        error_rate=around(0.1, I, J, K),
        error_deviation=around(0.05, I, J, K),
        residency_h=around(0.5, I, J, K),
        storage_gb=options.replicas * rng.choice([20.0, 40.0, 100.0]),
        storage_usd_per_gb_hour=0.01,
        budget_usd=options.replicas * rng.choice([12.0, 18.0, 30.0, 80.0]),
        rental_hours=5.0,
        impact_delay=rng.uniform(0.0, 0.9, (J, K)),
        impact_error=rng.uniform(0.0, 0.9, (J, K)),
    )
    names = (("chat", "code"), ("small", "large"), ("old", "new"))
    return check_instance(Instance("random", *names, (1, 2), 1.0, 1.0, data))


def corners(uncertainty_set, room):
    """Realisations, each pair at most at its room; one is worst whatever the pairs carry."""
    if isinstance(uncertainty_set, Box):
        return [uncertainty_set.scale * room]
    found = set()
    for order in itertools.permutations(range(len(room))):
        left, xi = uncertainty_set.gamma, np.zeros(len(room))
        for r in order:
            xi[r] = min(room[r], left)
            left -= xi[r]
        found.add(tuple(xi))
    return [np.array(xi) for xi in found]


def placements(instance, options):
    """Fixed cost in $, replicas of the deployments in use {(j, k, n): r}, routes (i, j, k, n) that
    may be used; cheapest first. A deployment that no type may use only costs, so is left out."""
    d, (I, J, K, _) = instance.data, instance.shape
    types, degrees = range(I), instance.tensor_parallel
    by_route = options.storage_accounting == "route"
    choices = [
        [None, *itertools.product([(j, k, n) for n in degrees], range(1, options.replicas + 1))]
        for j, k in itertools.product(range(J), range(K))
    ]
    found = []
    for chosen in itertools.product(*choices):
        used = dict(c for c in chosen if c is not None)
        gpus = np.bincount(
            [k for _, k, _ in used], [n * r for (_, _, n), r in used.items()], minlength=K
        )
        fits = all(d.weights_gb[j] / n <= d.memory_gb[k] for j, k, n in used)
        rent = d.rental_hours * gpus @ d.price_usd_per_hour
        if not fits or np.any(gpus > d.tier_limit) or rent > d.budget_usd:
            continue
        every = list(itertools.product(types, used))
        if options.single_placement:
            open_routes = [
                list(zip(types, c, strict=True)) for c in itertools.product(used, repeat=I)
            ]
        elif by_route:
            on = itertools.product([False, True], repeat=len(every))
            open_routes = [list(itertools.compress(every, o)) for o in on]
        else:
            open_routes = [every]
        for routes in open_routes:
            if {c for _, c in routes} != set(used):
                continue
            holders = (
                [c for _, c in routes] if by_route else [c for c in used for _ in range(used[c])]
            )
            stored = sum(d.weights_gb[j] for j, _, _ in holders)
            fixed = rent + d.rental_hours * d.storage_usd_per_gb_hour * stored
            if stored <= d.storage_gb and fixed <= d.budget_usd:
                found.append((fixed, used, [(i, *c) for i, c in routes]))
    return sorted(found, key=lambda each: each[0])


def shares_cost(instance, options, uncertainty, left_usd, used, routes):
    """Least cost in $ of sharing the types out over open routes; None if no shares keep the limits.

    Variables: the routes' shares, then dropped share, worst delay and worst error of each type.
    """
    d, I, R = instance.data, len(instance.query_types), len(routes)
    L, hours = (
        d.input_tokens + d.output_tokens,
        d.rental_hours if options.horizon_consistent else 1.0,
    )
    delay, error = (R + a * I + np.arange(I) for a in (1, 2))
    rows, right = [], []

    def at_most(bound, *entries):
        row = np.zeros(R + 3 * I)
        for at, value in entries:
            row[at] = value
        rows.append(row)
        right.append(bound)

    def bar_hat(route):
        i, j, k, n = route
        a_query = L[i] / n
        return (
            (d.delay_ms_per_token[i, j, k] * a_query, d.delay_deviation[i, j, k] * a_query),
            (d.error_rate[i, j, k], d.error_deviation[i, j, k]),
        )

    size = d.data_per_token * L * d.arrivals_per_hour * (1.0 if options.legacy_units else 0.001)
    kept = [d.rental_hours * d.storage_usd_per_gb_hour * size[r[0]] for r in routes]
    waiting = hours * d.delay_usd_per_ms * d.arrivals_per_hour
    cost = np.concatenate([kept, hours * d.unmet_usd * d.arrivals_per_hour, waiting, 0.0 * waiting])
    upper = np.concatenate([np.ones(R), d.unmet_cap, d.delay_limit_ms, d.error_limit])
    at_most(left_usd, *enumerate(kept))
    for i in range(I):
        own = [a for a, r in enumerate(routes) if r[0] == i]
        pairs = sorted({routes[a][1:3] for a in own})
        for kind, total in enumerate((delay, error)):
            impact = (d.impact_delay, d.impact_error)[kind]
            room = np.array([1.0 - options.decision_dependent * impact[p] for p in pairs])
            for xi in corners(uncertainty[kind], room):
                worst = dict(zip(pairs, xi, strict=True))
                entries = [
                    (a, bar_hat(routes[a])[kind] @ np.array([1.0, worst[routes[a][1:3]]]))
                    for a in own
                ]
                at_most(0.0, *entries, (total[i], -1.0))
    for (j, k, n), r in used.items():
        here = [(a, route[0]) for a, route in enumerate(routes) if route[1:] == (j, k, n)]
        rate = d.kv_gb_per_token[j] / n * L * d.arrivals_per_hour * d.residency_h[:, j, k]
        at_most((d.memory_gb[k] - d.weights_gb[j] / n) * r, *((a, rate[i]) for a, i in here))
        work = d.tflop_per_kilotoken * L
        if not options.legacy_units:  # TFLOP/s
            work = work / 1000.0 * d.arrivals_per_hour / 3600.0
        bound = options.utilisation * d.compute_tflops[k] * n * r
        at_most(1.0, *((a, work[i] / bound) for a, i in here))
    if options.route_limit:
        for a, route in enumerate(routes):
            room = 1.0 - options.decision_dependent * d.impact_delay[route[1:3]]
            ((xi,),) = corners(uncertainty.delay, np.array([room]))
            bar, hat = bar_hat(route)[0]
            if bar + xi * hat > d.delay_limit_ms[route[0]]:
                upper[a] = 0.0
    whole = [
        [float(r[0] == i) for r in routes] + [float(i == t) for t in range(I)] for i in range(I)
    ]
    found = linprog(
        cost,
        A_ub=np.array(rows),
        b_ub=right,
        A_eq=np.hstack([whole, np.zeros((I, 2 * I))]),
        b_eq=np.ones(I),
        bounds=np.stack([0.0 * upper, upper], axis=1),
    )
    assert found.status in (0, 2), found.message
    return found.fun if found.status == 0 else None


def brute_force(instance, options, uncertainty):
    """Least cost in $ of all placements, None if there is no plan."""
    best = None
    for fixed, used, routes in placements(instance, options):
        if best is not None and fixed >= best:
            break
        left = instance.data.budget_usd - fixed
        variable = shares_cost(instance, options, uncertainty, left, used, routes)
        if variable is not None and (best is None or fixed + variable < best):
            best = fixed + variable
    return best


ROUTE = {"storage_accounting": "route"}
SINGLE = {"single_placement": True}
IMPACT = {"decision_dependent": True}
PHYSICAL = {"legacy_units": False}
OWN_LIMIT = {"route_limit": True}
BOX = Uncertainty(Box(1.3), Box(1.3))
CASES = [
    ({}, budget(0.0, 0.0)),
    ({}, budget(0.5, 1.5)),
    ({}, budget(np.inf, np.inf)),
    ({}, BOX),
    (SINGLE, budget(1.5, 0.5)),
    (SINGLE | IMPACT | ROUTE, budget(0.5, np.inf)),
    (IMPACT, budget(1.5, 0.5)),
    (IMPACT | {"horizon_consistent": True}, BOX),
    ({"replicas": 2}, budget(0.5, 0.0)),
    ({"replicas": 2, "link_cuts": True} | SINGLE, budget(0.5, 0.5)),
    (PHYSICAL | {"utilisation": 0.6}, budget(0.5, np.inf)),
    (ROUTE, budget(0.5, 0.5)),
    (OWN_LIMIT | IMPACT | {"link_cuts": True}, budget(0.5, 1.5)),
    (OWN_LIMIT | SINGLE | PHYSICAL | {"horizon_consistent": True}, BOX),
]


@pytest.mark.parametrize(("switches", "uncertainty"), CASES)
def test_optimum_is_that_of_brute_force(switches, uncertainty):
    options, statuses = make_options(**switches), set()
    for seed in range(13, 21):
        instance = random_instance(seed, options)
        best = brute_force(instance, options, uncertainty)
        solved = solve_allocation(
            instance, options, uncertainty, solver=SOLVER, gap=1e-7, threads=1
        )
        statuses.add(solved.status)
        assert solved.status == ("infeasible" if best is None else "optimal"), seed
        assert solved.objective == (None if best is None else pytest.approx(best, rel=1e-6)), seed
    assert statuses == {"optimal", "infeasible"}
