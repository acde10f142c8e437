r"""The program in which named limits may be exceeded, at a price. docs/allocate_explain.md.

Every limit b that may be relaxed becomes (1 + s) b with a column s >= 0, the relaxation relative to
b (to one unit where b is 0); the objective is the sum of all s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from lpo.allocate.explain.limits import place_of
from lpo.allocate.instance import Instance
from lpo.allocate.model.coefficients import Coefficients, alone, largest_share
from lpo.allocate.model.program import Program
from lpo.allocate.model.rows import Block
from lpo.errors import InputError
from lpo.optim.matrix_program import MatrixProgram


class Elastic(NamedTuple):
    """program: its first columns are those of the allocation program. slack: column of each s.

    size: what each s is relative to, in the unit of the limit.
    """

    program: MatrixProgram
    slack: dict[str, int]
    size: dict[str, float]


def relaxable(instance: Instance) -> list[str]:
    """Names of all limits that can be relaxed: not those of the hardware, nor infinite ones."""
    tiers = np.flatnonzero(np.isfinite(instance.data.tier_limit))
    return [
        *(f"{kind} of {name}" for kind in ("delay", "error") for name in instance.query_types),
        "budget",
        "storage",
        *(f"unmet cap of {name}" for name in instance.query_types),
        *(f"GPUs of {instance.tiers[k]}" for k in tiers),
    ]


def size_of(instance: Instance, limit: str) -> float:
    """What a relaxation of the limit is relative to: the limit, one unit (1 %) where it is 0.

    Raises InputError on a limit that cannot be relaxed.
    """
    place = place_of(instance, limit)
    value = float(getattr(instance.data, place.kind.field)[place.index])
    if place.kind.least is None:
        raise InputError(f"`{limit}` is a property of the hardware, which cannot be relaxed.")
    if not np.isfinite(value):
        raise InputError(f"There is no limit on the {limit}, so that it cannot be relaxed.")
    return value if value > 0.0 else place.kind.least


def make_elastic(program: Program, limits: Sequence[str], cuts: Sequence[Block] = ()) -> Elastic:
    r"""Return the program that relaxes `limits` least, built on the rows of `program`.

    A limit's row A x <= b, divided by its right side, becomes A x - s <= b. Two of them need more:

    - the published delay limit, $N_i \le \Delta_i W$ with W the GPUs of one pair: the product
      $s_i W = \sum_n n\,q_{in}$ with $q_{in} = s_i w_n$, which $q_{in} \le s_i$ and
      $q_{in} \le S w_n$ say exactly for a w of 0 or 1; S is the most that any route needs.
    - a route beyond its own delay limit (`route_limit`), $D_r > \Delta_i$, carries a share only
      where $(1 + s_i) \Delta_i \ge D_r$: a binary z with $x_r \le z$ and
      $(D_r / \Delta_i - 1) z \le s_i$.

    Memory and compute stay as they are, and bound every share. Raises InputError as `size_of`, and
    on a limit that is named twice.
    """
    if len(set(limits)) != len(limits):
        raise InputError("A limit to relax is named twice.")
    instance, data, options = program.instance, program.instance.data, program.options
    base, numbers = program.matrix(cuts=cuts, tight=False), program.numbers(data)
    layout, rows = program.layout, program.limits()
    share = slice(layout.share, layout.share + len(program.columns.route_type))
    most = largest_share(program.columns, numbers, options.replicas)
    base.upper[share] = np.minimum(base.upper[share], most)
    more, slack = _Extension(base), {}
    size = {limit: size_of(instance, limit) for limit in limits}
    for limit in limits:
        place, row = place_of(instance, limit), int(rows[limit][0])
        farthest = np.inf
        if place.name == "unmet cap":
            farthest = (1.0 - float(data.unmet_cap[place.index])) / size[limit]
        slack[limit] = s = more.column(cost=1.0, upper=farthest)
        if place.name == "delay" and options.published:
            _published_delay(program, numbers, more, place.index[0], row, s)
        else:
            divided = place.name in ("delay", "error")
            more.entry(row, s, -1.0 if divided else -size[limit])
        if place.name == "delay" and options.route_limit:
            _slow_routes(program, numbers, more, place.index[0], s, most)
    return Elastic(more.program(), slack, size)


def _published_delay(
    program: Program, numbers: Coefficients, more: "_Extension", type_: int, row: int, s: int
) -> None:
    _, J, K, _ = program.instance.shape
    columns = program.columns
    largest = float(_needs(program, numbers)[columns.route_type == type_].max(initial=0.0))
    for c in np.flatnonzero((columns.model == J - 1) & (columns.tier == K - 1)):
        q = more.column()
        more.entry(row, q, -float(columns.degree[c]))
        more.row([(q, 1.0), (s, -1.0)])
        more.row([(q, 1.0), (program.layout.replicas + int(c), -largest)])


def _slow_routes(
    program: Program,
    numbers: Coefficients,
    more: "_Extension",
    type_: int,
    s: int,
    most: np.ndarray,
) -> None:
    need = _needs(program, numbers)
    for r in np.flatnonzero((program.columns.route_type == type_) & (need > 1.0)):
        z, x = more.column(upper=1.0, whole=True), program.layout.share + int(r)
        more.base.upper[x] = most[r]
        more.row([(x, 1.0), (z, -1.0)])
        more.row([(z, float(need[r] - 1.0)), (s, -1.0)])


def _needs(program: Program, numbers: Coefficients) -> np.ndarray:
    """[R] delay of a route alone in its worst case, as a multiple of the limit of its type."""
    columns, limit = program.columns, program.instance.data.delay_limit_ms
    factor = alone(program.uncertainty.delay, numbers.kept_delay)[columns.route_exposure]
    worst = numbers.delay + factor * numbers.delay_deviation
    return worst / limit[columns.route_type]


class _Extension:
    """Columns, entries and rows (left <= 0) to be added to a program, whose objective goes."""

    def __init__(self, base: MatrixProgram):
        self.base = base
        self.columns: list[tuple[float, float, bool]] = []
        self.entries: list[tuple[int, int, float]] = []
        self.rows = 0

    def column(self, cost: float = 0.0, upper: float = np.inf, whole: bool = False) -> int:
        self.columns.append((cost, upper, whole))
        return len(self.base.cost) + len(self.columns) - 1

    def entry(self, row: int, column: int, value: float) -> None:
        self.entries.append((row, column, value))

    def row(self, entries: Sequence[tuple[int, float]]) -> None:
        at = len(self.base.row_upper) + self.rows
        self.entries += [(at, column, value) for column, value in entries]
        self.rows += 1

    def program(self) -> MatrixProgram:
        base, (m, n) = self.base, self.base.matrix.shape
        cost, upper, whole = (
            np.array([column[part] for column in self.columns]) for part in range(3)
        )
        shape = (m + self.rows, n + len(self.columns))
        own = base.matrix.tocoo()
        row, column, value = (np.array([e[part] for e in self.entries]) for part in range(3))
        matrix = sp.csr_matrix(
            (
                np.concatenate([own.data, value]),
                (
                    np.concatenate([own.row, row.astype(np.int64)]),
                    np.concatenate([own.col, column.astype(np.int64)]),
                ),
            ),
            shape,
        )
        whole = np.concatenate([base.integer, whole.astype(bool)])
        upper = np.concatenate([base.upper, upper])
        return MatrixProgram(
            cost=np.concatenate([np.zeros(n), cost]),
            offset=0.0,
            quadratic=None,
            matrix=matrix,
            row_lower=np.concatenate([base.row_lower, np.full(self.rows, -np.inf)]),
            row_upper=np.concatenate([base.row_upper, np.zeros(self.rows)]),
            lower=np.concatenate([base.lower, np.zeros(len(cost))]),
            upper=upper,
            integer=whole,
            binary=whole & (upper <= 1.0),
        )
