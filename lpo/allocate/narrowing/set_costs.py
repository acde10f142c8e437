"""What sets of query types cost on a deployment, when each type has one place.

docs/allocate_sweeps.md, "Fewer columns".
"""

from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import InstanceData
from lpo.allocate.model.coefficients import alone
from lpo.allocate.model.program import Program
from lpo.allocate.narrowing.subsets import Subsets
from lpo.optim.matrix_program import MatrixProgram

SLACK = 1e-7  # relative, that rounding may take


class SetTerms(NamedTuple):
    """What sets of types cost on deployments [C]; of routes [C, I], 0 where there is none.

    rent [2, C], place [2, C, I] with all of the type dropped, serve [2, C, I] all of it served
    instead: dollars of the objective, and dollars that the budget counts, of which there are
    `budget`. least [I] and most [G, C, I] share, most -1 where the type may not be; needs [2, C, I]
    of a whole type, of room [2, C]: memory and compute. pair [C]. route [C, I], its index.

    The published delay limit is multiplied by the GPUs of the `last` pair [C], so that there is a
    case for each of its deployments: forced [G], rented whoever is placed there, -1 for none.
    """

    rent: np.ndarray
    place: np.ndarray
    serve: np.ndarray
    budget: float
    least: np.ndarray
    most: np.ndarray
    needs: np.ndarray
    room: np.ndarray
    pair: np.ndarray
    route: np.ndarray
    last: np.ndarray
    forced: np.ndarray


class Parts(NamedTuple):
    """Where replicas, shares, unmet shares and places are in x."""

    rent: slice
    share: slice
    unmet: slice
    place: slice


def parts_of(program: Program) -> Parts:
    """Return where the parts of a program with single placement are."""
    layout, columns = program.layout, program.columns
    assert layout.placed is not None
    C, R, I = len(columns.degree), len(columns.route_type), len(program.instance.query_types)
    begins = (layout.replicas, C), (layout.share, R), (layout.unmet, I), (layout.placed, R)
    return Parts(*(slice(begin, begin + count) for begin, count in begins))


def set_terms(
    program: Program, matrix: MatrixProgram, data: InstanceData, spending: np.ndarray, budget: float
) -> SetTerms:
    """Return the terms of a tight matrix; spending [n]: what the budget counts of each column."""
    columns, numbers, parts = program.columns, program.numbers(data), parts_of(program)
    C, R, I = len(columns.degree), len(columns.route_type), len(data.unmet_cap)
    i, c, e = columns.route_type, columns.route_deployment, columns.route_exposure

    def dense(of_routes: np.ndarray) -> np.ndarray:
        values = np.zeros((*of_routes.shape[:-1], C, I))
        values[..., c, i] = of_routes
        return values

    dollars = np.stack([matrix.cost, spending])
    rented = matrix.upper[parts.rent] > 0.0
    forced, times, last = np.array([-1]), np.array([1.0]), np.zeros(C, bool)
    if program.options.published:
        J, K = len(data.weights_gb), len(data.memory_gb)
        last = (columns.model == J - 1) & (columns.tier == K - 1)
        forced = np.append(np.flatnonzero(last & rented), -1)
        times = np.where(forced < 0, 0.0, columns.degree[forced])
    uncertain = (
        alone(program.uncertainty.delay, numbers.kept_delay)[e],
        alone(program.uncertainty.error, numbers.kept_error)[e],
    )
    delay = (numbers.delay + uncertain[0] * numbers.delay_deviation) / data.delay_limit_ms[i]
    error = (numbers.error + uncertain[1] * numbers.error_deviation) / data.error_limit[i]
    with np.errstate(divide="ignore", invalid="ignore"):
        by_delay = np.where(delay > 0.0, times[:, None] / delay, np.inf)
        by_error = np.where(error > 0.0, 1.0 / error, np.inf)
    most = np.full((len(forced), C, I), -1.0)
    most[:, c, i] = np.where(
        (matrix.upper[parts.place] > 0.0) & rented[c],
        np.minimum(np.minimum(by_delay, by_error), matrix.upper[parts.share]),
        -1.0,
    )
    dropped = dollars[:, parts.unmet][:, i]
    return SetTerms(
        rent=dollars[:, parts.rent],
        place=dense(dollars[:, parts.place] + dropped),
        serve=dense(dollars[:, parts.share] - dropped),
        budget=budget,
        least=np.clip(1.0 - data.unmet_cap, 0.0, 1.0),
        most=most,
        needs=dense(np.stack([numbers.cache_gb, numbers.load])),
        room=np.stack([numbers.spare_gb, numbers.tflops]),
        pair=columns.deployment_pair,
        route=dense(np.arange(R)).astype(np.int64),
        last=last,
        forced=forced,
    )


def set_costs(terms: SetTerms, subsets: Subsets, price: float) -> np.ndarray:
    """[G, C, 2^I] bound on the cost of a set on a deployment, the budget at `price`.

    The greater of two least costs: with the memory as the only limit of the deployment, and with
    its compute. Infinite where the set cannot be there, and for nobody but on the forced one.
    """
    rent, place, serve = (each[0] + price * each[1] for each in terms[:3])
    member = subsets.member.T.astype(np.float64)
    extra = np.maximum(terms.most - terms.least, 0.0)
    base = (place + terms.least * serve) @ member + rent[:, None]
    refused = ((terms.most < terms.least * (1.0 - SLACK)) @ member) > 0.0
    values = np.full((len(terms.forced), *base.shape), -np.inf)
    for needs, room in zip(terms.needs, terms.room, strict=True):
        left = room[:, None] - (needs * terms.least) @ member
        refused |= left < -SLACK * np.abs(room[:, None])
        saved = _filled(np.maximum(left, 0.0), needs, np.maximum(-serve, 0.0), extra, subsets)
        np.maximum(values, base - saved, out=values)
    values[refused] = np.inf
    values[..., 0] = np.inf
    for case, deployment in enumerate(terms.forced):
        values[case, terms.last & (np.arange(len(rent)) != deployment)] = np.inf
        if deployment >= 0:
            values[case, deployment, 0] = rent[deployment]
    return values


def _filled(
    left: np.ndarray, needs: np.ndarray, gain: np.ndarray, extra: np.ndarray, subsets: Subsets
) -> np.ndarray:
    """[G, C, 2^I] dollars saved by filling the room `left` [C, 2^I], the best types first.

    A fractional knapsack for every deployment and set; needs, gain [C, I], extra [G, C, I].
    """
    order = best_first(gain, needs)
    saved = np.zeros((len(extra), *left.shape))
    left = np.broadcast_to(left, saved.shape).copy()
    deployment = np.arange(len(needs))
    for i in order.T:
        need = needs[deployment, i][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            fits = np.where(need > 0.0, left / need, np.inf)
        wanted = (gain[deployment, i] > 0.0)[:, None] & subsets.member.T[i]
        taken = np.minimum(extra[:, deployment, i][..., None], fits) * wanted
        saved += gain[deployment, i][:, None] * taken
        left -= need * taken
    return saved


def best_first(gain: np.ndarray, needs: np.ndarray) -> np.ndarray:
    """Order of gain over need [..., I], the greatest first; what needs nothing before all."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.argsort(-np.where(needs > 0.0, gain / needs, np.inf), axis=-1)
