"""The allocation problem as one program: built once, its numbers changed, solved many times.

docs/allocate.md states it row by row.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from lpo.allocate.allocation import Allocation
from lpo.allocate.instance import Instance, InstanceData
from lpo.allocate.model.coefficients import Coefficients, alone, coefficients, largest_share
from lpo.allocate.model.columns import Columns, make_columns
from lpo.allocate.model.layout import Layout, make_layout
from lpo.allocate.model.rows import Block, allocation_rows, at_risk, objective
from lpo.allocate.options import CORRECTED, Options, Profile
from lpo.allocate.uncertainty import Budget, Uncertainty, budget
from lpo.optim.matrix_program import MatrixProgram


class Program(NamedTuple):
    """What of the problem does not change with the numbers of the instance.

    `matrix` gives the matrices for other numbers, `allocation` and `point` translate between
    decisions and x.
    """

    instance: Instance
    options: Options
    uncertainty: Uncertainty
    columns: Columns
    layout: Layout

    def matrix(
        self,
        data: InstanceData | None = None,
        *,
        cuts: Sequence[Block] = (),
        tight: bool = True,
    ) -> MatrixProgram:
        """Return the matrices for `data`, None for the numbers that the program was built with.

        cuts: rows to add. tight: bound every share by what memory and compute let a route serve,
        and leave out routes that no placement can use; False leaves that to the rows, so that a
        report on an infeasible program sees which limit is to blame.
        """
        data = self.instance.data if data is None else data
        numbers = self.numbers(data)
        C, R = len(self.columns.degree), len(self.columns.route_type)
        blocks = [*self.rows(data, numbers, tight=tight), *cuts]
        heights = np.cumsum([0, *(block.count for block in blocks)])
        row = np.concatenate([b.row + at for b, at in zip(blocks, heights[:-1], strict=True)])
        column = np.concatenate([block.column for block in blocks])
        values = np.concatenate([v for block in blocks for v in values_of(block, np)])
        n = self.layout.n
        matrix = sp.csr_matrix((values, (row, column)), (int(heights[-1]), n))
        right = np.concatenate([np.broadcast_to(b.right, b.count) for b in blocks])
        equation = np.concatenate([np.full(b.count, b.equation) for b in blocks])
        cost = self.costs(data)
        lower, upper, integer = np.zeros(n), np.full(n, np.inf), np.zeros(n, bool)
        share = slice(self.layout.share, self.layout.share + R)
        upper[: self.layout.unmet + len(self.instance.query_types)] = 1.0
        upper[:C] = self.options.replicas * (numbers.spare_gb >= 0.0)
        integer[:C] = True
        if tight:
            upper[share] = largest_share(self.columns, numbers, self.options.replicas)
        if self.options.route_limit:
            upper[share] *= self.within_limit(data)
        if self.layout.active is not None:
            whole = slice(self.layout.active, self.layout.active + C)
            integer[whole], upper[whole] = True, 1.0
        if self.layout.placed is not None:
            placed = R if self.options.single_placement else len(self.columns.exposure_type)
            whole = slice(self.layout.placed, self.layout.placed + placed)
            integer[whole], upper[whole] = True, 1.0
            if tight and self.options.single_placement:
                useful = self._placeable(data, numbers, upper[share])
                upper[share] *= useful
                upper[whole] *= useful
        return MatrixProgram(
            cost=cost,
            offset=0.0,
            quadratic=None,
            matrix=matrix,
            row_lower=np.where(equation, right, -np.inf),
            row_upper=right,
            lower=lower,
            upper=upper,
            integer=integer,
            binary=integer & (upper <= 1.0),
        )

    def numbers(self, data: InstanceData) -> Coefficients:
        """The coefficients of `data`."""
        return coefficients(self.columns, data, self.options)

    def rows(self, data: InstanceData, numbers: Coefficients, *, tight: bool = True) -> list[Block]:
        """All rows but the cuts of an ellipsoid; tight as in `matrix`."""
        return allocation_rows(
            self.instance,
            data,
            self.columns,
            self.layout,
            numbers,
            self.options,
            self.uncertainty,
            tight=tight,
        )

    def objective(self, data: InstanceData, numbers: Coefficients) -> dict[str, list[Any]]:
        """Parts of the cost, rental, storage, delay and unmet, as entries (0, columns, values)."""
        return objective(data, self.columns, self.layout, numbers, self.options, self.uncertainty)

    def costs(self, data: InstanceData, weights: Mapping[str, float] = MappingProxyType({})) -> Any:
        """[n] dollars of every variable, its parts times `weights` (1 where none is given)."""
        cost = np.zeros(self.layout.n)
        for part, entries in self.objective(data, self.numbers(data)).items():
            for _, at, value in entries:
                np.add.at(cost, at, weights.get(part, 1.0) * value)
        return cost

    def limits(self) -> dict[str, np.ndarray]:
        """Rows of `matrix` by the name of the limit that they are, such as "delay of Code_Gen"."""
        data = self.instance.data
        found: dict[str, list[int]] = {}
        at = 0
        for block in self.rows(data, self.numbers(data)):
            for row, name in enumerate(block.limits):
                found.setdefault(name, []).append(at + row)
            at += block.count
        return {name: np.array(rows) for name, rows in found.items()}

    def allocation(self, x: np.ndarray) -> Allocation:
        """The decisions in x [n], shares of types sum to 1 exactly."""
        I, J, K, N = self.instance.shape
        columns, layout = self.columns, self.layout
        C, R = len(columns.degree), len(columns.route_type)
        where = columns.model, columns.tier, columns.degree_index
        replicas = np.zeros((J, K, N), np.int64)
        replicas[where] = np.rint(x[layout.replicas : layout.replicas + C]).astype(np.int64)
        share = np.zeros((I, J, K, N))
        c = columns.route_deployment
        flow = np.clip(x[layout.share : layout.share + R], 0.0, 1.0)
        flow = np.where(flow < _NOTHING, 0.0, flow) * (replicas[where][c] > 0)
        share[columns.route_type, where[0][c], where[1][c], where[2][c]] = flow
        unmet = np.clip(x[layout.unmet : layout.unmet + I], 0.0, 1.0)
        unmet = np.where(unmet < _NOTHING, 0.0, unmet)
        whole = share.sum(axis=(1, 2, 3)) + unmet
        whole[whole == 0.0] = 1.0
        return Allocation(replicas, share / whole[:, None, None, None], unmet / whole)

    def point(self, allocation: Allocation, data: InstanceData | None = None) -> np.ndarray:
        """x [n] of an allocation, with the worst cases as tight as they can be.

        Decisions on what the program has no column for are left out.
        """
        data = self.instance.data if data is None else data
        columns, layout, numbers = self.columns, self.layout, self.numbers(data)
        C, R = len(columns.degree), len(columns.route_type)
        where = columns.model, columns.tier, columns.degree_index
        c = columns.route_deployment
        x = np.zeros(layout.n)
        x[layout.replicas : layout.replicas + C] = allocation.replicas[where]
        share = allocation.share[columns.route_type, where[0][c], where[1][c], where[2][c]]
        x[layout.share : layout.share + R] = share
        x[layout.unmet : layout.unmet + len(allocation.unmet)] = allocation.unmet
        if layout.active is not None:
            x[layout.active : layout.active + C] = allocation.replicas[where] > 0
        if layout.placed is not None and self.options.single_placement:
            x[layout.placed : layout.placed + R] = share > 0
            for i in np.flatnonzero(allocation.share.sum(axis=(1, 2, 3)) == 0.0):
                # a type that is dropped altogether is placed nevertheless
                there = (columns.route_type == i) & (allocation.replicas[where][c] > 0)
                x[layout.placed + np.flatnonzero(there)[:1]] = 1.0
        elif layout.placed is not None:
            used = np.bincount(columns.route_exposure, share, len(columns.exposure_type))
            x[layout.placed : layout.placed + len(used)] = used > 0
        for place, kept in enumerate((numbers.kept_delay, numbers.kept_error)):
            tau, sigma = layout.tau[place], layout.sigma[place]
            if tau is None:
                continue
            risk = at_risk(place, share, columns, layout, numbers)
            each = self.uncertainty[place]
            for i in range(len(allocation.unmet)):
                own = columns.exposure_type == i
                if isinstance(each, Budget):
                    assert sigma is not None
                    x[tau + i] = level = _level(risk[own], kept[own], each.gamma)
                    x[sigma + np.flatnonzero(own)] = np.maximum(risk[own] - level, 0.0)
                else:
                    x[tau + i] = alone(each, 1.0) * np.linalg.norm(kept[own] * risk[own])
        return x

    def within_limit(self, data: InstanceData) -> np.ndarray:
        """[R] whether the delay of a route alone, at its worst, keeps the limit of its type."""
        columns, numbers = self.columns, self.numbers(data)
        factor = alone(self.uncertainty.delay, numbers.kept_delay)[columns.route_exposure]
        worst = numbers.delay + factor * numbers.delay_deviation
        return worst <= data.delay_limit_ms[columns.route_type]

    def _placeable(
        self, data: InstanceData, numbers: Coefficients, largest: np.ndarray
    ) -> np.ndarray:
        """[R] whether a type can go to this route alone: all but the unmet cap must be served."""
        i = self.columns.route_type
        least = 1.0 - data.unmet_cap[i]
        factor = alone(self.uncertainty.error, numbers.kept_error)[self.columns.route_exposure]
        error = numbers.error + factor * numbers.error_deviation
        slack = 1.0 + 1e-9
        return (largest * slack >= least) & (least * error <= slack * data.error_limit[i])


_NOTHING = 1e-9  # a share that is rounding of the solver


def build(
    instance: Instance,
    options: Options = CORRECTED,
    uncertainty: Uncertainty | None = None,
    *,
    columns: Columns | None = None,
) -> Program:
    """Return the program of an instance, None for its own budgets of uncertainty.

    columns: fewer than all deployments and routes. Deployments whose weights do not fit have no
    column: where memories are to grow, build with the largest.
    """
    given = instance_uncertainty(instance, options, uncertainty)
    columns = make_columns(instance) if columns is None else columns
    numbers = coefficients(columns, instance.data, options)
    layout = make_layout(columns, len(instance.query_types), numbers, options, given)
    return Program(instance, options, given, columns, layout)


def instance_uncertainty(
    instance: Instance, options: Options, uncertainty: Uncertainty | None
) -> Uncertainty:
    """Return the sets that are meant: None is the instance's, a deterministic program has none."""
    if options.profile is Profile.REFERENCE_DETERMINISTIC:
        return budget(0.0, 0.0)
    if uncertainty is None:
        return budget(instance.gamma_delay, instance.gamma_error)
    return uncertainty


def values_of(block: Block, xp: Any) -> list[Any]:
    """Return the values of the entries of a block; `xp`: NumPy or its equal in JAX."""
    return [xp.broadcast_to(xp.asarray(value), (count,)) for value, count in block.values]


def _level(risk: np.ndarray, kept: np.ndarray, gamma: float) -> float:
    """tau that minimises gamma tau + sum kept (risk - tau)_+."""
    order = np.argsort(-risk)
    # as tau falls below risk[order[m]], the slope gamma - sum of kept so far turns negative
    return float(risk[order][np.cumsum(kept[order]) > gamma].max(initial=0.0))
