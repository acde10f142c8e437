"""Bounds on plans with single placement, and plans, at prices of the budget.

Under single placement a plan gives every rented deployment a set of query types. But for the budget
and the storage limit, deployments know nothing of one another, so that the cheapest plan is found
by dynamic programming over sets. The budget is paid at a price, which makes a Lagrangian bound.
docs/allocate_sweeps.md, "Fewer columns".
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lpo.allocate.instance import InstanceData
from lpo.allocate.model.program import Program
from lpo.allocate.narrowing.set_costs import SetTerms, best_first, parts_of, set_costs
from lpo.allocate.narrowing.set_costs import set_terms as make_terms
from lpo.allocate.narrowing.subsets import Subsets, Tree, make_subsets, outside, trace, tree_of
from lpo.optim.matrix_program import MatrixProgram

_TRIES = 10  # prices of the budget


class Round(NamedTuple):
    """The bound at a price of the budget, and the plan, which may break a limit.

    bound: infinite where it shows that there is no plan; the rest says nothing then.
    """

    price: float
    bound: float
    point: np.ndarray
    costs: np.ndarray
    tree: Tree


class Rounds:
    """Bounds at prices of the budget that raise them."""

    def __init__(self, program: Program, matrix: MatrixProgram, data: InstanceData):
        row = program.limits()["budget"][0]
        self.program = program
        self.spending = matrix.matrix[row].toarray()[0]
        self.budget = float(matrix.row_upper[row])
        self.terms = make_terms(program, matrix, data, self.spending, self.budget)
        self.subsets = make_subsets(len(data.unmet_cap))
        # Rent and storage are within the budget, the rest is paid for types.
        of_types = self.terms.place[0] + np.maximum(self.terms.serve[0], 0.0)
        self.most = self.budget + float(np.sum(np.max(of_types, axis=0)))

    def __iter__(self) -> Iterator[Round]:
        price, search = 0.0, _Search()
        for _ in range(_TRIES):
            costs = set_costs(self.terms, self.subsets, price)
            tree = tree_of(_pairs(self.terms, costs), self.subsets)
            case = int(np.argmin(tree[0][:, 0, -1]))
            bound = float(tree[0][case, 0, -1]) - price * self.budget
            if bound > self.most:
                yield Round(price, np.inf, np.zeros(0), costs, tree)
                return
            places = _places(self.terms, costs[case], trace(tree, self.subsets, case))
            point = _point(self.program, self.terms, self.subsets, case, places, price)
            yield Round(price, bound, point, costs, tree)
            following = search.next(price, bound, float(self.spending @ point) - self.budget)
            if following is None:
                return
            price = following

    def through(self, each: Round) -> tuple[np.ndarray, np.ndarray]:
        """Bounds [C, I] with a type at a deployment, and [C] with the deployment rented."""
        left = outside(each.tree, self.subsets)[..., ::-1]  # of what a set leaves
        others = left[:, self.terms.pair]
        total = np.min(each.costs + others, axis=0) - each.price * self.budget
        placed = [np.min(total[:, inside], axis=1) for inside in self.subsets.member.T]
        return np.stack(placed, axis=1), np.min(total, axis=1)


class _Search:
    """Prices of the budget that raise the bound, as if it were concave in the price.

    left, right: (price, bound, slope) where the plan spends too much, and where it does not.
    """

    def __init__(self):
        self.left: tuple[float, float, float] | None = None
        self.right: tuple[float, float, float] | None = None

    def next(self, price: float, bound: float, slope: float) -> float | None:
        """A price where the two tangents meet, None where no better one is in sight."""
        if slope > 0.0:
            self.left = (price, bound, slope)
        else:
            self.right = (price, bound, slope)
        if self.left is None:  # price 0 spends no more than there is
            return None
        if self.right is None:
            return max(4.0 * price, 0.25)
        a, b = self.left, self.right
        met = (b[1] - a[1] + a[2] * a[0] - b[2] * b[0]) / (a[2] - b[2])
        near = 1e-6 * (1.0 + b[0])
        return met if a[0] + near < met < b[0] - near else None


def _first_of_pairs(terms: SetTerms) -> np.ndarray:
    """[P] first deployment of each pair."""
    return np.flatnonzero(np.diff(terms.pair, prepend=-1))


def _pairs(terms: SetTerms, costs: np.ndarray) -> np.ndarray:
    """[G, P, 2^I] the cheapest deployment of each pair, or none for nobody."""
    pairs = np.minimum.reduceat(costs, _first_of_pairs(terms), axis=1)
    free = np.ones(pairs.shape[:2], bool)
    for case, deployment in enumerate(terms.forced):
        free[case, terms.pair[deployment]] = deployment < 0
    pairs[..., 0] = np.where(free, 0.0, pairs[..., 0])
    return pairs


def _places(
    terms: SetTerms, costs: np.ndarray, takers: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Deployments and the sets on them; costs [C, 2^I] of the case, takers pairs with sets."""
    first = np.append(_first_of_pairs(terms), len(terms.pair))
    found = []
    for pair, chosen in takers[: len(first) - 1]:
        own = costs[first[pair] : first[pair + 1], chosen]
        if np.isfinite(own).any():  # otherwise the pair is not rented
            found.append((int(first[pair] + np.argmin(own)), chosen))
    return found


def _point(
    program: Program,
    terms: SetTerms,
    subsets: Subsets,
    case: int,
    places: list[tuple[int, int]],
    price: float,
) -> np.ndarray:
    """x [n] of sets on deployments, each share as large as memory and compute let it be."""
    parts, x = parts_of(program), np.zeros(program.layout.n)
    x[parts.unmet] = 1.0
    serve = terms.serve[0] + price * terms.serve[1]
    for c, chosen in places:
        x[parts.rent.start + c] = 1.0
        inside = np.flatnonzero(subsets.member[chosen])
        least = terms.least[inside]
        extra, gain = np.maximum(terms.most[case, c, inside] - least, 0.0), -serve[c, inside]
        shares = np.ones(len(inside))
        for needs, room in zip(terms.needs[:, c, inside], terms.room[:, c], strict=True):
            left, taken = max(float(room - needs @ least), 0.0), np.zeros(len(inside))
            for i in best_first(gain, needs):
                if gain[i] > 0.0:
                    taken[i] = min(extra[i], left / needs[i] if needs[i] > 0.0 else np.inf)
                    left -= needs[i] * taken[i]
            shares = np.minimum(shares, least + taken)
        route = terms.route[c, inside]
        x[parts.share.start + route] = shares
        x[parts.place.start + route] = 1.0
        x[parts.unmet.start + inside] = 1.0 - shares
    return x
